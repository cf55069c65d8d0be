import { createHash } from 'node:crypto'
import { PACKET, PacketCheck } from '../packet-check.ts'
import type { PostgresqlProbePlan } from '../plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from '../protocol.ts'
import { Interview } from '../sql/question.ts'
import type { ReplicationMemory } from '../sql/replication.ts'
import { postgresqlQuestions } from './questions.ts'
import { Scram, type ScramMemory } from './scram.ts'

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const TERMINATE = message('X', Buffer.alloc(0))
const AUTHENTICATION = { OK: 0, CLEARTEXT: 3, MD5: 5, SASL: 10, SASL_CONTINUE: 11, SASL_FINAL: 12 } as const

/**
 * PostgreSQL's protocol 3.0. Without `password` and something to ask it goes as far as pg_isready: the server's first answer is enough, a demand for
 * a password as well as a refusal of this user, as long as it does not say that it takes no connections. With them it logs in and asks:
 * role and lag, the query.
 *
 *   [SSLRequest ─ S ─ TLS] ─ StartupMessage ─ R … R(ok) ─ Z ─ Q ─ T D C Z ─ Q ─ T D C Z … ─ X
 */
export class PostgresqlCheck extends PacketCheck {
  readonly #plan: PostgresqlProbePlan
  readonly #memory: ScramMemory
  #state: 'tls' | 'login' | 'query' = 'login'
  #scram: Scram | null = null
  #isVerified = false
  readonly #interview: Interview

  constructor(plan: PostgresqlProbePlan, memory: ScramMemory, replication: ReplicationMemory, now: () => number) {
    super('PostgreSQL')
    this.#plan = plan
    this.#memory = memory
    this.#interview = new Interview(postgresqlQuestions(plan, replication, now))
  }

  opened(wire: CheckWire): null {
    if (this.#plan.mode === 'upgrade' && this.#state === 'login') {
      this.#state = 'tls'
      wire.write(SSL_REQUEST)
      return null
    }
    this.secured()
    this.#state = 'login'
    const { user, database } = this.#plan
    const words = ['user', user ?? 'evener', 'database', database ?? user ?? 'postgres', 'application_name', 'evener-check', '']
    const body = Buffer.from(`\0\x03\0\0${words.map((word) => `${word}\0`).join('')}`)
    wire.write(Buffer.concat([int32(body.length + 4), body]))
    return null
  }

  protected measure(bytes: Buffer): number {
    if (this.#state === 'tls' && bytes[0] !== ERROR) return 1
    if (!(bytes[0] >= 0x41 && bytes[0] <= 0x7a)) return PACKET.INVALID
    if (bytes.length < 5) return PACKET.INCOMPLETE
    const length = bytes.readUInt32BE(1)
    return length < 4 ? PACKET.INVALID : length + 1
  }

  protected packet(bytes: Buffer, wire: CheckWire): Verdict | null {
    const body = bytes.subarray(5)
    if (bytes[0] === ERROR) return this.#refused(body, wire)
    if (this.#state === 'tls') return bytes[0] === 0x53 ? this.secure(wire) : fail('TLS is not offered')
    switch (String.fromCharCode(bytes[0])) {
      case 'R':
        return this.#authenticate(body, wire)
      case 'D':
        this.#interview.row(readRow(body))
        return null
      case 'Z':
        return this.#ready(wire)
      // Parameters, key, notices, descriptions and ends of results.
      case 'S':
      case 'K':
      case 'N':
      case 'T':
      case 'C':
      case 'I':
      case 'v':
        return null
      default:
        return fail('the answer is not PostgreSQL')
    }
  }

  get #logsIn(): boolean {
    return this.#plan.password !== undefined || !this.#interview.isEmpty
  }

  #authenticate(body: Buffer, wire: CheckWire): Verdict | null {
    if (body.length < 4) return fail('the answer is not PostgreSQL')
    if (!this.#logsIn) return this.leave(pass('connections are accepted'), wire, body.readUInt32BE(0) === 0 ? TERMINATE : NOTHING)
    const { password = '', user = '' } = this.#plan
    const rest = body.subarray(4)
    switch (body.readUInt32BE(0)) {
      case AUTHENTICATION.OK:
        return this.#scram === null || this.#isVerified ? null : fail(NO_PROOF)
      case AUTHENTICATION.CLEARTEXT:
        return this.#send(wire, 'p', Buffer.from(`${password}\0`))
      case AUTHENTICATION.MD5:
        return this.#send(
          wire,
          'p',
          Buffer.from(`md5${md5(Buffer.concat([Buffer.from(md5(Buffer.from(password + user))), rest.subarray(0, 4)]))}\0`),
        )
      case AUTHENTICATION.SASL:
        return this.#beginScram(rest, wire)
      case AUTHENTICATION.SASL_CONTINUE:
        return this.#continueScram(rest, wire)
      case AUTHENTICATION.SASL_FINAL:
        this.#isVerified = this.#scram?.verifies(rest.toString('latin1')) ?? false
        return this.#isVerified ? null : fail(NO_PROOF)
      default:
        return fail(`the server asks for authentication method ${body.readUInt32BE(0)}, which is not supported`)
    }
  }

  #beginScram(mechanisms: Buffer, wire: CheckWire): Verdict | null {
    if (!mechanisms.toString('latin1').split('\0').includes('SCRAM-SHA-256')) return fail('the server does not offer SCRAM-SHA-256')
    this.#scram = new Scram(this.#plan.password ?? '', this.#memory)
    const first = Buffer.from(this.#scram.first)
    return this.#send(wire, 'p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), int32(first.length), first]))
  }

  #continueScram(serverFirst: Buffer, wire: CheckWire): Verdict | null {
    const final = this.#scram?.final(serverFirst.toString('latin1'))
    return final === undefined
      ? fail('the server asks for a SCRAM that is not well-formed or too long')
      : this.#send(wire, 'p', Buffer.from(final))
  }

  /** A user that is unknown or a database that is not there say that the server works. */
  #refused(body: Buffer, wire: CheckWire): Verdict | null {
    const fields = new Map(
      body
        .toString('utf8')
        .split('\0')
        .map((field) => [field.slice(0, 1), field.slice(1)]),
    )
    const code = fields.get('C') ?? ''
    if (!this.#logsIn && this.#state === 'login' && /^(28|3D)/.test(code)) return pass('connections are accepted')
    const refusal = fail(`the server says ${quote(`${code} ${fields.get('M') ?? ''}`)}`)
    return this.#state === 'query' ? this.leave(refusal, wire, TERMINATE) : refusal
  }

  /** The server waits for a question: the first one, or the last one is answered. */
  #ready(wire: CheckWire): Verdict | null {
    if (this.#interview.isEmpty) return this.leave(pass('logged in'), wire, TERMINATE)
    const verdict = this.#state === 'query' ? this.#interview.answered() : null
    if (verdict !== null) return this.leave(verdict, wire, TERMINATE)
    this.#state = 'query'
    return this.#send(wire, 'Q', Buffer.from(`${this.#interview.statement}\0`))
  }

  #send(wire: CheckWire, type: string, body: Buffer): null {
    wire.write(message(type, body))
    return null
  }
}

const ERROR = 0x45
const NO_PROOF = 'the server does not prove that it knows the password'
const NOTHING = Buffer.alloc(0)

/** The texts of a DataRow: null for NULL, and for what is cut. */
function readRow(row: Buffer): (string | null)[] {
  const values: (string | null)[] = []
  const count = row.length < 2 ? 0 : row.readUInt16BE(0)
  for (let at = 2; values.length < count && at + 4 <= row.length; ) {
    const length = row.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : row.toString('utf8', at, Math.min(row.length, at + length)))
    at += Math.max(0, length)
  }
  return values
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
