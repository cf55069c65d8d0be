import { createHash } from 'node:crypto'
import type { ClientHello } from './client-hello.ts'

const SERVER_NAME = 0
const ALPN = 16

/** RFC 8701: values that clients invent, so that servers ignore what they do not know. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >>> 8 === (value & 0xff)
}

/** JA3: MD5 of version, ciphers, extensions, groups and point formats in the client's order. */
export function ja3(hello: ClientHello): string {
  const list = (values: readonly number[]): string => values.filter((value) => !isGrease(value)).join('-')
  const { version, ciphers, extensions, groups, pointFormats } = hello
  const text = [version, list(ciphers), list(extensions), list(groups), pointFormats.join('-')].join(',')
  return createHash('md5').update(text).digest('hex')
}

/** JA4 of a client over TCP: "t13d1516h2_8daaf6152771_e5627efa2ab1". Sorted, so that clients which shuffle extensions stay the same. */
export function ja4(hello: ClientHello): string {
  const ciphers = hello.ciphers.filter((value) => !isGrease(value))
  const extensions = hello.extensions.filter((value) => !isGrease(value))
  const count = (values: readonly number[]): string => String(Math.min(values.length, 99)).padStart(2, '0')
  const name = extensions.includes(SERVER_NAME) ? 'd' : 'i'
  const head = `t${versionOf(hello)}${name}${count(ciphers)}${count(extensions)}${protocolOf(hello)}`
  const kept = extensions.filter((value) => value !== SERVER_NAME && value !== ALPN)
  const signatures = hello.signatures.filter((value) => !isGrease(value)).map(hex)
  const tail = [kept.map(hex).sort().join(','), ...(signatures.length === 0 ? [] : [signatures.join(',')])].join('_')
  return `${head}_${shortHash(ciphers.map(hex).sort().join(','))}_${shortHash(kept.length === 0 ? '' : tail)}`
}

function versionOf({ version, versions }: ClientHello): string {
  const highest = Math.max(version, ...versions.filter((value) => !isGrease(value)))
  return { 772: '13', 771: '12', 770: '11', 769: '10', 768: 's3' }[highest] ?? '00'
}

/** First and last character of the first protocol, or their hexadecimal digits where they are not alphanumeric. */
function protocolOf({ protocols: [first = ''] }: ClientHello): string {
  if (first === '') return '00'
  const ends = first[0] + first[first.length - 1]
  if (/^[0-9A-Za-z]{2}$/.test(ends)) return ends
  const digits = Buffer.from(first, 'latin1').toString('hex')
  return digits[0] + digits[digits.length - 1]
}

function shortHash(text: string): string {
  return text === '' ? '000000000000' : createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function hex(value: number): string {
  return value.toString(16).padStart(4, '0')
}
