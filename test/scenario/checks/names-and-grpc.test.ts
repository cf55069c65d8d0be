import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selfSigned } from '../../support/certificate.ts'
import { runCheck } from '../../support/check-run.ts'
import { grpcHealth } from '../../support/grpc-health.ts'
import { needs } from '../../support/needs.ts'
import { origin } from '../../support/origin.ts'
import { dnsmasq, knot } from '../../support/services.ts'

test('dns checks of Knot', needs('knotd'), async (t) => {
  const { ports } = await knot(t)
  const address = `127.0.0.1:${ports[0]}`
  for (const transport of ['udp', 'tcp']) {
    await t.test(transport, async () => {
      const ask = (dns: object) => runCheck(address, { dns: { transport, ...dns } })
      assert.equal(await ask({ name: 'www.example.test' }), 'ok: NOERROR, 2 answers')
      assert.equal(await ask({ name: 'WWW.example.test.', answer: '192.0.2.7' }), 'ok: NOERROR, 2 answers')
      assert.equal(await ask({ name: 'www.example.test', type: 'AAAA', answer: '2001:db8:0::7' }), 'ok: NOERROR, 1 answer')
      assert.equal(await ask({ name: 'www.example.test', answer: '192.0.2.9' }), 'failed: NOERROR, but 192.0.2.9 is not among the answers')
      assert.equal(await ask({ name: 'example.test', type: 'SOA' }), 'ok: NOERROR, 1 answer')
      assert.equal(await ask({ name: 'www.example.test', type: 'MX' }), 'failed: NOERROR, but no answers')
      assert.equal(await ask({ name: 'none.example.test' }), 'failed: NXDOMAIN, expected NOERROR')
      assert.equal(await ask({ name: 'none.example.test', status: ['NOERROR', 'NXDOMAIN'] }), 'ok: NXDOMAIN, 0 answers')
      assert.equal(await ask({ name: '.', type: 'NS' }), 'failed: REFUSED, expected NOERROR')
    })
  }
})

test('dns checks of dnsmasq', needs('dnsmasq'), async (t) => {
  const { ports } = await dnsmasq(t)
  const address = `127.0.0.1:${ports[0]}`
  assert.equal(await runCheck(address, { dns: { name: 'www.test', answer: '192.0.2.8' } }), 'ok: NOERROR, 1 answer')
  assert.equal(await runCheck(address, { dns: { name: 'other.example' } }), 'failed: REFUSED, expected NOERROR')
  assert.match(
    await runCheck(address, { udp: { send: 'hex: 00 01 01 00 00 01 00 00 00 00 00 00 00 00 06 00 01', expect: '~ ^\\x00\\x01' } }),
    /^ok/,
  )
})

test('grpc checks of a health server', async (t) => {
  const address = await grpcHealth(t, {
    '': 1,
    down: 2,
    unknown: 0,
    ['long'.repeat(40)]: 1,
    unimplemented: (stream) => {
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true })
    },
    forbidden: (stream) => stream.respond({ ':status': 403 }, { endStream: true }),
    reset: (stream) => stream.close(8),
    garbage: (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end('garbage')
    },
  })
  const ask = (service: string) => runCheck(address, { grpc: { service } })
  assert.equal(await runCheck(address, { grpc: {} }), 'ok: SERVING')
  assert.equal(await ask('long'.repeat(40)), 'ok: SERVING')
  assert.equal(await ask('down'), 'failed: NOT_SERVING, expected SERVING')
  assert.equal(await ask('unknown'), 'failed: UNKNOWN, expected SERVING')
  assert.equal(await ask('missing'), 'failed: grpc-status NOT_FOUND')
  assert.equal(await ask('unimplemented'), 'failed: grpc-status UNIMPLEMENTED')
  assert.equal(await ask('forbidden'), 'failed: HTTP status 403')
  assert.equal(await ask('reset'), 'failed: the server resets the request: error 8')
  assert.equal(await ask('garbage'), 'failed: the answer is not a health status')
  assert.equal(await runCheck((await origin(t)).address, { grpc: {} }), 'failed: the answer is not HTTP/2')
})

test('grpc checks over TLS offer h2', needs('openssl'), async (t) => {
  const certificate = selfSigned(t, 'grpc.test')
  const address = await grpcHealth(t, { '': 1 }, certificate)
  assert.equal(await runCheck(address, { grpc: { tls: 'direct' } }), 'ok: SERVING')
  const trust = { host: 'grpc.test:443', verify: true, ca: certificate.certFile }
  assert.equal(await runCheck(address, { grpc: { tls: 'direct', ...trust } }), 'ok: SERVING')
  assert.match(await runCheck(address, { grpc: { tls: 'direct', ...trust, serverName: 'other.test' } }), /^failed: .*other\.test/)
})
