import { contentTypeLine, type LocalAnswer } from './answer.ts'
import type { ErrorPagePlan } from './config.ts'
import { reasonPhrase } from './status.ts'

const HTML_LINE = contentTypeLine('text/html; charset=utf-8')
const JSON_LINE = contentTypeLine('application/json')

/**
 * The pages for errors that the proxy answers itself. A page from the configuration replaces the built-in HTML for its
 * status; JSON is always the built-in one. Answers are made once for each status, form and sentence; sentences
 * are a closed set of constants, so the cache is bounded.
 */
export class ErrorPages {
  readonly #custom: ReadonlyMap<number, ErrorPagePlan>
  readonly #answers = new Map<string, LocalAnswer>()

  constructor(custom: readonly ErrorPagePlan[]) {
    this.#custom = new Map(custom.map((page) => [page.status, page]))
  }

  page(status: number, asJson: boolean, sentence: string): LocalAnswer {
    const key = `${asJson ? 'j' : 'h'}${status}${sentence}`
    let answer = this.#answers.get(key)
    if (answer === undefined) {
      answer = asJson ? jsonPage(status, sentence) : this.#htmlPage(status, sentence)
      this.#answers.set(key, answer)
    }
    return answer
  }

  #htmlPage(status: number, sentence: string): LocalAnswer {
    const custom = this.#custom.get(status)
    if (custom === undefined) return { status, fieldLines: HTML_LINE, body: Buffer.from(builtInPage(status, sentence)) }
    return { status, fieldLines: contentTypeLine(custom.contentType), body: Buffer.from(custom.body) }
  }
}

function jsonPage(status: number, sentence: string): LocalAnswer {
  const body = JSON.stringify({ status, error: reasonPhrase(status), detail: sentence })
  return { status, fieldLines: JSON_LINE, body: Buffer.from(`${body}\n`) }
}

function builtInPage(status: number, sentence: string): string {
  const title = `${status} ${reasonPhrase(status)}`
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:4em auto;max-width:36em;padding:0 1em}h1{font-size:1.4em}</style>
<h1>${title}</h1>
<p>${sentence}</p>
</html>
`
}
