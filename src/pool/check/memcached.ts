import { LineCheck, notThe, writeLine } from './line-check.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from './protocol.ts'

/** memcached's text protocol: `version`. */
export class MemcachedCheck extends LineCheck {
  opened(wire: CheckWire): null {
    writeLine(wire, 'version')
    return null
  }

  protected line(text: string): Verdict {
    if (text.startsWith('VERSION ')) return pass(`version ${quote(text.slice('VERSION '.length))}`)
    if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(text)) return fail(`the answer to version is ${quote(text)}`)
    return notThe('memcached', text)
  }
}
