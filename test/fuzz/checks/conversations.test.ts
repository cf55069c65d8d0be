import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentDocument } from '../../../src/pool/agent/json.ts'
import { AgentText } from '../../../src/pool/agent/text.ts'
import { DnsCheck } from '../../../src/pool/check/dns/dns.ts'
import { ExchangeCheck } from '../../../src/pool/check/exchange.ts'
import { encodeFields, FLAG, FRAME, frame } from '../../../src/pool/check/grpc/frames.ts'
import { GrpcCheck } from '../../../src/pool/check/grpc/grpc.ts'
import { HttpCheck } from '../../../src/pool/check/http.ts'
import { ImapCheck } from '../../../src/pool/check/imap.ts'
import { MemcachedCheck } from '../../../src/pool/check/memcached.ts'
import { MysqlCheck } from '../../../src/pool/check/mysql/mysql.ts'
import { packet } from '../../../src/pool/check/mysql/packet.ts'
import { Pop3Check } from '../../../src/pool/check/pop3.ts'
import { PostgresqlCheck } from '../../../src/pool/check/postgresql/postgresql.ts'
import { ScramMemory } from '../../../src/pool/check/postgresql/scram.ts'
import type { CheckProtocol, Verdict } from '../../../src/pool/check/protocol.ts'
import { RedisCheck } from '../../../src/pool/check/redis.ts'
import { SmtpCheck } from '../../../src/pool/check/smtp.ts'
import { ReplicationMemory } from '../../../src/pool/check/sql/replication.ts'
import { converse, text } from '../../support/check.ts'
import { between, pick, seededRandom } from '../../support/random.ts'

const ROUNDS = 1500
const random = seededRandom(20_261_121)

const CLEAR = { mode: 'none', tls: undefined } as const
const DATABASE = {
  user: 'u',
  password: 'p',
  database: undefined,
  role: 'any',
  maxLagMs: undefined,
  query: 'SELECT 1',
  expect: text('1'),
  ...CLEAR,
} as const
const MAILBOX = { user: 'u', password: 'p', ...CLEAR } as const
const HTTP = {
  method: 'GET',
  path: '/',
  host: 'app.test',
  headers: [],
  requestBody: undefined,
  status: [{ from: 200, to: 299 }],
  responseHeaders: [{ name: 'X-Role', pattern: text('~^primary') }],
  body: text('well'),
} as const

const latin1 = (bytes: string): Buffer => Buffer.from(bytes, 'latin1')
const message = (type: string, body: string): Buffer => Buffer.concat([latin1(type), Buffer.from([0, 0, 0, body.length + 4]), latin1(body)])
const greeting = latin1(
  `\x0a10.11.6-MariaDB\0${'\0'.repeat(4)}01234567\0\xff\xf7\x2d\x02\0\xff\x81\x15${'\0'.repeat(10)}890123456789\0mysql_native_password\0`,
)

/** What a server says that is well, whatever it is asked, and the check that it says it to. */
const CONVERSATIONS: Readonly<Record<string, readonly [make: () => CheckProtocol, answer: Buffer]>> = {
  tcp: [() => new ExchangeCheck({ kind: 'tcp', send: undefined, expect: text('PONG'), tls: undefined }), latin1('hello\r\nPONG\r\n')],
  http: [
    () => new HttpCheck(HTTP),
    latin1(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nX-Role: primary\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nall is\r\n5\r\n well\r\n0\r\n\r\n',
    ),
  ],
  smtp: [
    () => new SmtpCheck({ kind: 'smtp', hello: 'lb', ...CLEAR }),
    latin1('220 mail ESMTP\r\n250-mail\r\n250-STARTTLS\r\n250 HELP\r\n221 bye\r\n'),
  ],
  imap: [
    () => new ImapCheck({ kind: 'imap', ...MAILBOX }),
    latin1('* OK hi\r\n* CAPABILITY IMAP4rev1\r\ne OK in\r\ne OK done\r\n* BYE\r\ne OK out\r\n'),
  ],
  pop3: [() => new Pop3Check({ kind: 'pop3', ...MAILBOX }), latin1('+OK hi\r\n+OK\r\n+OK in\r\n+OK bye\r\n')],
  redis: [
    () => new RedisCheck({ kind: 'redis', user: undefined, password: 'p', role: 'primary', ...CLEAR }),
    latin1('+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n'),
  ],
  memcached: [() => new MemcachedCheck(), latin1('VERSION 1.6.18\r\n')],
  mysql: [
    () => new MysqlCheck({ kind: 'mysql', ...DATABASE }, new ReplicationMemory(), () => 0),
    Buffer.concat([
      packet(0, greeting),
      packet(2, latin1('\xfemysql_native_password\x0001234567890123456789\0')),
      packet(4, latin1('\0\0\0\x02\0\0\0')),
      packet(1, latin1('\x01')),
      packet(2, latin1('\x03def\0\0\0\x011\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0')),
      packet(3, latin1('\xfe\0\0\x02\0')),
      packet(4, latin1('\x011')),
      packet(5, latin1('\xfe\0\0\x02\0')),
    ]),
  ],
  postgresql: [
    () => new PostgresqlCheck({ kind: 'postgresql', ...DATABASE }, new ScramMemory(), new ReplicationMemory(), () => 0),
    Buffer.concat([
      message('R', '\0\0\0\x05salt'),
      message('R', '\0\0\0\0'),
      message('S', 'server_version\x0015\0'),
      message('Z', 'I'),
      message('T', '\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0'),
      message('D', '\0\x01\0\0\0\x011'),
      message('C', 'SELECT 1\0'),
      message('Z', 'I'),
    ]),
  ],
  dns: [
    () => new DnsCheck({ kind: 'dns', transport: 'tcp', name: 'a.test', type: 1, status: [0], answer: '192.0.2.7' }, 7),
    latin1('\0\x28\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x01a\x04test\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07'),
  ],
  grpc: [
    () => new GrpcCheck({ kind: 'grpc', service: '', host: 'app.test', ...CLEAR }),
    Buffer.concat([
      frame(FRAME.SETTINGS, 0, 0, latin1('\0\x03\0\0\0\x64')),
      frame(FRAME.SETTINGS, FLAG.ACK, 0, latin1('')),
      frame(
        FRAME.HEADERS,
        FLAG.END_HEADERS,
        1,
        encodeFields([
          [':status', '200'],
          ['content-type', 'application/grpc'],
        ]),
      ),
      frame(FRAME.DATA, 0, 1, latin1('\0\0\0\0\x02\x08\x01')),
      frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, encodeFields([['grpc-status', '0']])),
    ]),
  ],
  'agent in text': [() => new AgentText(''), latin1('ready,up 75% maxconn:20 # fine\n')],
  'agent in JSON': [
    () => new HttpCheck({ ...HTTP, responseHeaders: [], body: undefined }, new AgentDocument()),
    latin1('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"cpu": 37.5, "memory": 61, "admin": "ready"}     '),
  ],
}

/** A few bytes changed, taken out, put in twice or brought from elsewhere. */
function mutate(original: Buffer): Buffer {
  let bytes = Buffer.from(original)
  for (let i = between(random, 1, 4); i > 0; i--) {
    const at = between(random, 0, bytes.length)
    const length = between(random, 0, 12)
    const piece = pick(random, [
      Buffer.from([between(random, 0, 255)]),
      latin1(pick(random, ['\r\n', '\n', '\0', ' ', '-', '\xff\xff\xff', '999999', '%', '{', '\x80'])),
      bytes.subarray(between(random, 0, bytes.length), between(random, 0, bytes.length)),
      Buffer.alloc(0),
    ])
    bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(Math.min(bytes.length, at + length))])
  }
  return bytes
}

function outcome(check: CheckProtocol, pieces: readonly Buffer[]): Verdict {
  const { verdict, bytes } = converse(check, ...pieces)
  assert.ok(bytes.length < 64 * 1024, 'writes without end')
  return verdict ?? check.parting ?? check.ended()
}

function cut(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + between(random, 1, 9)
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

for (const [name, [make, answer]] of Object.entries(CONVERSATIONS)) {
  test(`${name}: what is well passes, whole and cut`, () => {
    assert.equal(outcome(make(), [answer]).ok, true, outcome(make(), [answer]).reason)
    assert.equal(outcome(make(), cut(answer)).ok, true)
  })

  test(`${name}: changed bytes end in a verdict that is fit for the log, and the same however they are cut`, () => {
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(answer)
      const whole = outcome(make(), [bytes])
      assert.match(whole.reason, /^[\x20-\x7e…]{0,400}$/, bytes.toString('latin1'))
      assert.equal(outcome(make(), cut(bytes)).ok, whole.ok, JSON.stringify(bytes.toString('latin1')))
    }
  })
}
