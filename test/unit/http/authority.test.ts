import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseAuthority } from '../../../src/http/index.ts'
import { place } from './bytes.ts'

function isValid(text: string): boolean {
  const { memory, start, end } = place(text)
  return parseAuthority(memory, start, end) !== -1
}

it('accepts registered names, IPv4 and IPv6 addresses with and without a port', () => {
  const valid = ['a', 'a.test', 'a.test.', 'A_b-c~d', '10.0.0.1', 'a:0', 'a:65535', 'a:', "a!$&'()*+;=", '1', '-']
  for (const text of valid) assert.ok(isValid(text), text)
})

it('refuses what some reader takes for another host', () => {
  const invalid = [
    '',
    ':',
    ':80',
    'a:65536',
    'a:123456',
    'a:8a',
    'a:-1',
    'a:+1',
    'a: 1',
    'a:1:2',
    'a b',
    'a,b',
    'a/b',
    'a?b',
    'a#b',
    'a@b',
    'a\\b',
    '%61',
    'a\0',
    '\xe9',
  ]
  for (const text of invalid) assert.ok(!isValid(text), JSON.stringify(text))
})

it('reads IPv6 literals by the grammar', () => {
  const valid = [
    '::',
    '::1',
    '1::',
    '1:2:3:4:5:6:7:8',
    '1::8',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
    'ABCD:ef01::',
    '::1.2.3.4',
    '1:2:3:4:5:6:1.2.3.4',
    'ffff::255.255.255.255',
  ]
  for (const text of valid) {
    assert.ok(isValid(`[${text}]`), text)
    assert.ok(isValid(`[${text}]:80`), text)
  }
  const invalid = [
    ...[
      '',
      ':',
      ':::',
      '1',
      '1:2',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '::1:2:3:4:5:6:7:8',
      '1::2::3',
      ':1::',
      '1:',
      '1::2:',
      'g::',
    ],
    ...[
      '12345::',
      '1:2:3:4:5:6:7:1.2.3.4',
      '::1.2.3',
      '::1.2.3.4.5',
      '::256.1.1.1',
      '::01.2.3.4',
      '::1.2.3.4:5',
      '1.2.3.4',
      '::%25eth0',
      'v1.a',
      ' ::1',
      '::1 ',
    ],
  ]
  for (const text of invalid) assert.ok(!isValid(`[${text}]`), text)
  for (const text of ['[::1', '::1]', '[::1]a', '[::1]]', '[[::1]]', '[::1]:a', '[']) assert.ok(!isValid(text), text)
})

it('says where the host ends', () => {
  for (const [text, length] of [
    ['a.test:80', 6],
    ['a.test', 6],
    ['[::1]:80', 5],
    ['a:', 1],
  ] as const) {
    const { memory, start, end } = place(text)
    assert.equal(parseAuthority(memory, start, end) - start, length)
  }
})
