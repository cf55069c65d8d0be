import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { command } from '../support/command.ts'
import { type Evener, evener } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { OcspAuthority, responder } from '../support/ocsp.ts'
import type { IssuedCertificate } from '../support/openssl.ts'
import { refusedPort } from '../support/origin.ts'

const openssl = needs('openssl')

function listenerWith({ certFile, keyFile }: IssuedCertificate): object {
  const tls = { certificates: { cert: certFile, key: keyFile, ocsp: 'fetch' } }
  return { bind: '127.0.0.1:0', tls, http: { routes: [{ respond: { status: 200 } }] } }
}

function serve(t: Parameters<typeof evener>[0], certificate: IssuedCertificate): Promise<Evener> {
  return evener(t, { listeners: { web: listenerWith(certificate) } })
}

/** What is stapled to a handshake; null for nothing. */
function stapled(port: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'shop.test', rejectUnauthorized: false, requestOCSP: true })
    socket.once('OCSPResponse', (response: Buffer | null) => {
      resolve(response !== null && response.length > 0 ? response : null)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

test('a response of openssl ocsp is fetched, stapled, and accepted by openssl s_client', openssl, async (t) => {
  const authority = new OcspAuthority(t)
  const port = await refusedPort()
  const certificate = authority.issue(`http://127.0.0.1:${port}/`)
  await authority.serve(certificate, port)
  const running = await serve(t, certificate)
  await running.printed(/certificates were read again, because one of them, or a response about one, has changed/)
  const listening = await running.port('web')
  const words = [
    's_client',
    '-connect',
    `127.0.0.1:${listening}`,
    '-servername',
    'shop.test',
    '-status',
    '-CAfile',
    authority.authority.certFile,
  ]
  const said = execFileSync('openssl', words, { encoding: 'utf8', input: '', stdio: ['pipe', 'pipe', 'pipe'] })
  assert.match(said, /OCSP Response Status: successful[\s\S]*Cert Status: good/)
  assert.match(said, /Verify return code: 0 \(ok\)/)
  const shown = await command(t, ['certificates', '--admin', running.admin])
  assert.match(shown.stdout, /ocsp +stapled until 20/)
  const { text } = await running.call('GET', '/metrics')
  assert.match(text, /evener_ocsp_fetches_total\{certificate="[^"]+",result="good"\} 1\n/)
  assert.match(text, /evener_ocsp_staple_expiry_timestamp_seconds\{certificate="[^"]+"\} 1\d{9}/)
})

test('a hostile responder is told of in the log, and nothing of what it says is stapled', openssl, async (t) => {
  const authority = new OcspAuthority(t)
  const hostile: [answer: (certificate: IssuedCertificate) => Buffer, words: RegExp][] = [
    [
      (certificate) => authority.respond(certificate, { state: 'revoked' }),
      /the certificate was revoked on 2026-01-01; nothing is stapled/,
    ],
    [(certificate) => authority.respond(certificate, { signer: 'stranger' }), /the signature of the response is wrong/],
    [() => Buffer.alloc(100_000), /the answer has more than 65536 bytes/],
    [() => Buffer.from('not at all'), /a value of DER/],
  ]
  const listeners: Record<string, object> = {}
  for (const [index, [answer]] of hostile.entries()) {
    const { url } = await responder(t, () => answer(certificate))
    const certificate = authority.issue(url)
    listeners[`web${index}`] = listenerWith(certificate)
  }
  const running = await evener(t, { listeners })
  for (const [index, [, words]] of hostile.entries()) {
    await running.printed(words)
    assert.equal(await stapled(await running.port(`web${index}`)), null)
  }
  const { text } = await running.call('GET', '/metrics')
  assert.equal(text.match(/evener_ocsp_fetches_total\{certificate="[^"]+",result="failed"\} 1\n/g)?.length, hostile.length)
})

test('a start waits for no responder, and a certificate that names none is told of', openssl, async (t) => {
  const authority = new OcspAuthority(t)
  const silent = await responder(t, () => null)
  const running = await serve(t, authority.issue(silent.url))
  assert.equal(await stapled(await running.port('web')), null)
  const nameless = authority.authority.issue({ name: 'shop.test' })
  const second = await serve(t, nameless)
  await second.printed(/ocsp \S+: the certificate names no OCSP responder; nothing is stapled/)
})
