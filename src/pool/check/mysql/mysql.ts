import { PACKET, PacketCheck } from '../packet-check.ts'
import type { MysqlProbePlan } from '../plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from '../protocol.ts'
import { Interview } from '../sql/question.ts'
import type { ReplicationMemory } from '../sql/replication.ts'
import { CAPABILITY, encryptPassword, type Greeting, loginResponse, prove, readGreeting, sslRequest } from './login.ts'
import { cString, errorText, packet, readColumnName, readRow } from './packet.ts'
import { mysqlQuestions } from './questions.ts'

const COMMAND = { QUIT: Uint8Array.of(1), QUERY: 3, PING: Uint8Array.of(14) } as const
const ANSWER = { OK: 0x00, MORE: 0x01, SWITCH: 0xfe, ERROR: 0xff } as const
/** Of caching_sha2_password, behind ANSWER.MORE. */
const SHA2 = { WANT_KEY: 2, FAST: 3, FULL: 4 } as const
/** Access denied to a user, to a database, and a plugin that does not know the user. */
const DENIED = new Set([1044, 1045, 1698])

/**
 * MySQL and MariaDB, protocol 10. Without `user` it tries to log in as nobody in particular, and being refused is an answer like being let in: a
 * client that hangs up before would be counted by the server, and locked out after max_connect_errors of them. With `user` it must get in,
 * and then a ping or what is asked must be answered: role, lag, the query.
 *
 *   greeting ─ [SSLRequest, TLS] ─ login ─ [switch, more] ─ OK ─ ping, or question ─ rows ─ question ─ rows … ─ quit
 */
export class MysqlCheck extends PacketCheck {
  readonly #plan: MysqlProbePlan
  readonly #interview: Interview
  #state: 'greeting' | 'login' | 'key' | 'ping' | 'columns' | 'rows' = 'greeting'
  #greeting: Greeting | null = null
  #plugin = ''
  #salt: Buffer = Buffer.alloc(0)
  #sequence = 0
  #columnsLeft = 0

  constructor(plan: MysqlProbePlan, memory: ReplicationMemory, now: () => number) {
    super('MySQL')
    this.#plan = plan
    this.#interview = new Interview(mysqlQuestions(plan, memory, now))
  }

  opened(wire: CheckWire): null {
    if (this.#greeting === null) return null
    this.secured()
    return this.#login(this.#greeting, wire)
  }

  protected measure(bytes: Buffer): number {
    return bytes.length < 4 ? PACKET.INCOMPLETE : bytes.readUIntLE(0, 3) + 4
  }

  protected packet(bytes: Buffer, wire: CheckWire): Verdict | null {
    this.#sequence = bytes[3] + 1
    const body = bytes.subarray(4)
    if (body[0] === ANSWER.ERROR) return this.#refused(body, wire)
    switch (this.#state) {
      case 'greeting':
        return this.#greet(body, wire)
      case 'login':
        return this.#authenticate(body, wire)
      case 'key':
        return this.#sendEncrypted(body, wire)
      case 'ping':
        return body[0] === ANSWER.OK ? this.#part(pass('logged in'), wire) : fail('the ping is not answered with OK')
      case 'columns':
        return this.#readColumns(body, wire)
      case 'rows':
        return this.#readRow(body, wire)
    }
  }

  get #isLoggedIn(): boolean {
    return this.#state === 'ping' || this.#state === 'columns' || this.#state === 'rows'
  }

  get #isSecure(): boolean {
    return this.#plan.mode === 'upgrade'
  }

  #greet(body: Buffer, wire: CheckWire): Verdict | null {
    const greeting = readGreeting(body)
    if (greeting === undefined) return fail(`the greeting is not MySQL: ${quote(body.toString('latin1', 0, 100))}`)
    this.#greeting = greeting
    if (!this.#isSecure) return this.#login(greeting, wire)
    if ((greeting.capabilities & CAPABILITY.SSL) === 0) return fail('TLS is not offered')
    this.#send(wire, sslRequest(this.#plan.database))
    this.#sequence++
    return this.secure(wire)
  }

  #login(greeting: Greeting, wire: CheckWire): null {
    const { user = 'evener', password = '', database } = this.#plan
    // For other plugins the server asks to switch.
    this.#plugin = prove(greeting.plugin, '', greeting.salt) === undefined ? 'mysql_native_password' : greeting.plugin
    this.#salt = greeting.salt
    this.#state = 'login'
    return this.#send(wire, loginResponse({ user, password, database, isSecure: this.#isSecure }, this.#plugin, greeting.salt))
  }

  #authenticate(body: Buffer, wire: CheckWire): Verdict | null {
    switch (body[0]) {
      case ANSWER.OK:
        return this.#loggedIn(wire)
      case ANSWER.SWITCH:
        return this.#switch(body, wire)
      case ANSWER.MORE:
        if (body[1] === SHA2.FAST) return null
        return body[1] === SHA2.FULL ? this.#sendPassword(wire) : fail('the server asks for something unknown to log in')
      default:
        return fail('the answer to the login is not MySQL')
    }
  }

  #switch(body: Buffer, wire: CheckWire): Verdict | null {
    const plugin = cString(body, 1)
    this.#plugin = plugin.text
    this.#salt = Buffer.from(body.subarray(plugin.end, plugin.end + 20))
    const proof = prove(this.#plugin, this.#plan.password ?? '', this.#salt)
    if (proof !== undefined) return this.#send(wire, proof)
    if (this.#plan.user === undefined) return this.#part(pass('connections are accepted'), wire)
    return fail(`the user needs the plugin ${quote(plugin.text)}, which is not supported`)
  }

  /** Over TLS as it is, in the clear under the server's key. */
  #sendPassword(wire: CheckWire): null {
    if (this.#isSecure) return this.#send(wire, Buffer.from(`${this.#plan.password ?? ''}\0`))
    this.#state = 'key'
    return this.#send(wire, Uint8Array.of(SHA2.WANT_KEY))
  }

  #sendEncrypted(body: Buffer, wire: CheckWire): Verdict | null {
    const encrypted = encryptPassword(this.#plan.password ?? '', this.#salt, body.toString('latin1', 1))
    if (encrypted === undefined) return fail("the server's key cannot be read")
    this.#state = 'login'
    return this.#send(wire, encrypted)
  }

  #loggedIn(wire: CheckWire): null {
    if (this.#plan.user === undefined) return this.#part(pass('connections are accepted'), wire)
    if (!this.#interview.isEmpty) return this.#ask(wire)
    this.#state = 'ping'
    this.#sequence = 0
    return this.#send(wire, COMMAND.PING)
  }

  #ask(wire: CheckWire): null {
    this.#sequence = 0
    this.#state = 'columns'
    return this.#send(wire, Buffer.concat([Uint8Array.of(COMMAND.QUERY), Buffer.from(this.#interview.statement)]))
  }

  /** First how many columns, then a packet for each, then an end. A statement without a result is answered with OK. */
  #readColumns(body: Buffer, wire: CheckWire): Verdict | null {
    if (this.#columnsLeft > 0) {
      if (--this.#columnsLeft === 0) this.#state = 'rows'
      else this.#interview.column(readColumnName(body))
      return null
    }
    if (body[0] === ANSWER.OK) return this.#answered(wire)
    if (body.length !== 1 || body[0] >= 0xfb) return fail('the answer to the query is not MySQL')
    // One more for the packet that ends them.
    this.#columnsLeft = body[0] + 1
    return null
  }

  #readRow(body: Buffer, wire: CheckWire): null {
    const isEnd = body[0] === ANSWER.SWITCH && body.length < 9
    if (isEnd || this.#interview.row(readRow(body))) this.#answered(wire)
    return null
  }

  #answered(wire: CheckWire): null {
    const verdict = this.#interview.answered()
    return verdict === null ? this.#ask(wire) : this.#part(verdict, wire)
  }

  #refused(body: Buffer, wire: CheckWire): Verdict | null {
    const { code, text } = errorText(body)
    const isAnswer = this.#plan.user === undefined && this.#state === 'login' && DENIED.has(code)
    if (isAnswer) return this.#part(pass('connections are accepted'), wire)
    const refusal = fail(`the server says ${quote(text)}`)
    return this.#isLoggedIn ? this.#part(refusal, wire) : refusal
  }

  #part(verdict: Verdict, wire: CheckWire): null {
    return this.leave(verdict, wire, packet(0, COMMAND.QUIT))
  }

  #send(wire: CheckWire, body: Uint8Array): null {
    wire.write(packet(this.#sequence, body))
    return null
  }
}
