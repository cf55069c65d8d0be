import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentDocument, readAgentDocument } from '../../../../src/pool/agent/json.ts'
import { AgentText, readAgentLine } from '../../../../src/pool/agent/text.ts'
import { SeededRandom } from '../../../../src/pool/index.ts'
import { converse } from '../../../support/check.ts'

test('a line has words in any order, between blanks and commas', () => {
  assert.deepEqual(readAgentLine('75%'), { description: '', weightPercent: 75 })
  assert.deepEqual(readAgentLine('up 50%'), { description: '', isDown: false, weightPercent: 50 })
  assert.deepEqual(readAgentLine('ready,up\t100%, maxconn:20'), {
    description: '',
    admin: 'ready',
    isDown: false,
    weightPercent: 100,
    limit: 20,
  })
  assert.deepEqual(readAgentLine('drain'), { description: '', admin: 'drain' })
  assert.deepEqual(readAgentLine('maint'), { description: '', admin: 'maintenance' })
  for (const word of ['down', 'fail', 'failed', 'stopped', 'DOWN']) assert.equal(readAgentLine(word)?.isDown, true)
  assert.deepEqual(readAgentLine('down #disk is full, up'), { description: 'disk is full, up', isDown: true })
  assert.equal(readAgentLine('250%')?.weightPercent, 100)
  assert.deepEqual(readAgentLine('up hello -5% 7.5% maxconn:'), { description: '', isDown: false })
})

test('a line without a known word is no answer', () => {
  for (const line of ['', ' ', 'hello', '%', '# down', 'HTTP/1.1 200 OK', 'maxconn:x', '9999999999%'])
    assert.equal(readAgentLine(line), undefined, line)
})

function ask(send: string, ...pieces: (string | null)[]) {
  const agent = new AgentText(send)
  return { ...converse(agent, ...pieces), report: agent.report }
}

test('a line ends at CR, LF or the end of the connection, and may be cut anywhere', () => {
  for (const pieces of [['up 75%\n'], ['up', ' 7', '5%\r', '\n'], ['up 75%', null], [...'up 75%\r']])
    assert.equal(ask('', ...pieces).report?.weightPercent, 75)
  assert.equal(ask('', 'up 7').verdict, null)
  assert.equal(ask('', null).verdict?.reason, 'connection closed before the answer')
  assert.equal(ask('', 'hello\n').verdict?.reason, '"hello" is no answer of an agent')
  assert.equal(ask('', ...Array.from({ length: 3 }, () => 'u'.repeat(512))).verdict?.reason, 'a line of more than 1024 bytes')
  assert.equal(ask('', `up${' '.repeat(5000)}\n`).verdict?.ok, false)
  assert.equal(ask('pool app\n', 'up\n').sent, 'pool app\n')
})

test('a document says everything; what is scarcest is the capacity', () => {
  const full = { isDown: false, admin: 'ready', weightPercent: 100, capacityPercent: 100, limit: 0, description: '' }
  assert.deepEqual(readAgentDocument('{"cpu": 37.4}'), { ...full, capacityPercent: 63 })
  assert.deepEqual(readAgentDocument('{"cpu": 20, "memory": 61, "connections": 50, "maxConnections": 100}'), {
    ...full,
    capacityPercent: 39,
  })
  assert.deepEqual(readAgentDocument('{"connections": 500, "maxConnections": 100}'), { ...full, capacityPercent: 0 })
  assert.deepEqual(readAgentDocument('{"connections": 500}'), full)
  assert.deepEqual(readAgentDocument('{"admin": "drain", "health": "down", "weight": 50, "limit": 9, "reason": "deploy", "x": []}'), {
    isDown: true,
    admin: 'drain',
    weightPercent: 50,
    capacityPercent: 100,
    limit: 9,
    description: 'deploy',
  })
})

test('a document that is none, or says what cannot be, is refused in words', () => {
  for (const [text, words] of [
    ['', 'the document is not JSON'],
    ['{"cpu": NaN}', 'the document is not JSON'],
    ['[]', 'the document is not a JSON object'],
    ['null', 'the document is not a JSON object'],
    ['{}', 'the document says nothing of the server'],
    ['{"load": 1}', 'the document says nothing of the server'],
    ['{"cpu": 101}', '"cpu" is a number from 0 to 100'],
    ['{"cpu": "37"}', '"cpu" is a number from 0 to 100'],
    ['{"memory": -1}', '"memory" is a number from 0 to 100'],
    ['{"limit": 1.5}', '"limit" is a whole number from 0 to 1000000000'],
    ['{"admin": "maint"}', '"admin" is one of "ready", "drain", "maintenance"'],
    ['{"health": null}', '"health" is one of "up", "down"'],
    ['{"cpu": 1, "reason": 5}', '"reason" is text'],
  ])
    assert.equal(readAgentDocument(text), words)
  const flood = new AgentDocument()
  for (let i = 0; i < 9; i++) flood.add(Buffer.alloc(8192, 32))
  assert.equal(flood.judge().reason, 'a document of more than 65536 bytes')
})

test('garbage never throws', () => {
  const random = new SeededRandom(2)
  for (let round = 0; round < 2000; round++) {
    const text = String.fromCharCode(...Array.from({ length: random.next() % 80 }, () => random.next() & 255))
    readAgentLine(text)
    readAgentDocument(text)
  }
})
