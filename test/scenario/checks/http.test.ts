import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selfSigned } from '../../support/certificate.ts'
import { runCheck } from '../../support/check-run.ts'
import { needs } from '../../support/needs.ts'
import { nginx } from '../../support/peers.ts'

test('http, https, tls and tcp checks of nginx', needs('nginx', 'openssl'), async (t) => {
  const { certFile: ca, keyFile } = selfSigned(t)
  const peer = await nginx(t, {
    portCount: 2,
    config: (ports) => `
          server {
            listen 127.0.0.1:${ports[0]};
            location /up { add_header X-Role primary; return 200 "all is well\\n"; }
            location /host { return 200 "$host $request_method $http_x_key"; }
            location /down { return 503; }
          }
          server {
            listen 127.0.0.1:${ports[1]} ssl;
            ssl_certificate ${ca};
            ssl_certificate_key ${keyFile};
            location / { return 200 "secure $ssl_server_name"; }
          }`,
  })
  const [plain, secure] = peer.ports.map((port) => `127.0.0.1:${port}`)

  await t.test('status, field and body decide', async () => {
    assert.equal(await runCheck(plain, { http: { path: '/up' } }), 'ok: status 200')
    assert.equal(await runCheck(plain, { http: { path: '/down' } }), 'failed: status 503, expected 200-399')
    assert.equal(await runCheck(plain, { http: { path: '/down', status: '503' } }), 'ok: status 503')
    assert.equal(await runCheck(plain, { http: { path: '/up', responseHeaders: { 'X-Role': 'primary' } } }), 'ok: status 200')
    assert.equal(await runCheck(plain, { http: { path: '/up', body: '~ ^all .*well' } }), 'ok: status 200, the body matches')
    assert.equal(await runCheck(plain, { http: { path: '/up', body: 'ill' } }), 'failed: status 200, but the body does not contain "ill"')
  })

  await t.test('method, Host and own fields arrive', async () => {
    const http = { path: '/host', method: 'POST', host: 'app.test', headers: { 'X-Key': 'k' }, body: '~ ^app\\.test POST k$' }
    assert.equal(await runCheck(plain, { http }), 'ok: status 200, the body matches')
  })

  await t.test('https asks for the name of Host, and verifies where it is told to', async () => {
    const https = { host: 'app.test', body: 'secure app.test' }
    assert.equal(await runCheck(secure, { https }), 'ok: status 200, the body matches')
    assert.equal(await runCheck(secure, { https: { ...https, verify: true } }), 'failed: self-signed certificate')
    assert.equal(await runCheck(secure, { https: { ...https, verify: true, ca } }), 'ok: status 200, the body matches')
    assert.match(await runCheck(secure, { https: { serverName: 'other.test', verify: true, ca } }), /^failed: .*other\.test/)
  })

  await t.test('tls is content with a handshake, tcp with a connection', async () => {
    assert.equal(await runCheck(secure, { tls: {} }), 'ok: the handshake is done')
    assert.equal(await runCheck(plain, { tcp: {} }), 'ok: connected')
    assert.match(await runCheck(plain, { tls: {} }), /^failed: /)
    const send = 'GET /up HTTP/1.0\r\n\r\n'
    assert.equal(await runCheck(plain, { tcp: { send, expect: '~ ^HTTP/1\\.1 200' } }), 'ok: the answer matches')
    assert.match(await runCheck(secure, { tls: { send, expect: 'SSH' } }), /^failed: .*"HTTP\/1\.1 200 OK .*does not contain "SSH"$/)
  })
})
