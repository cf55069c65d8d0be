import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selfSigned } from '../../support/certificate.ts'
import { runCheck } from '../../support/check-run.ts'
import { needsRoot } from '../../support/needs.ts'
import { dovecot, exim } from '../../support/services.ts'

test('smtp checks of exim', needsRoot('exim4', 'openssl'), async (t) => {
  const certificate = selfSigned(t, 'mail.test')
  const { ports } = await exim(t, certificate)
  const [plain, secure] = ports.map((port) => `127.0.0.1:${port}`)
  const trust = { serverName: 'mail.test', verify: true, ca: certificate.certFile }

  await t.test('in the clear, over STARTTLS and over TLS', async () => {
    assert.equal(await runCheck(plain, { smtp: {} }), 'ok: EHLO is answered')
    assert.equal(await runCheck(plain, { smtp: { tls: 'upgrade' } }), 'ok: EHLO is answered')
    assert.equal(await runCheck(plain, { smtp: { tls: 'upgrade', ...trust } }), 'ok: EHLO is answered')
    assert.equal(await runCheck(secure, { smtp: { tls: 'direct', ...trust } }), 'ok: EHLO is answered')
  })

  await t.test('a certificate that does not verify, and a port that speaks something else', async () => {
    assert.equal(
      await runCheck(plain, { smtp: { tls: 'upgrade', serverName: 'mail.test', verify: true } }),
      'failed: self-signed certificate',
    )
    assert.equal(await runCheck(secure, { smtp: { tls: 'upgrade' }, timeout: '200ms' }), 'failed: no answer within 200 ms')
    assert.match(await runCheck(plain, { smtp: { tls: 'direct' } }), /^failed: /)
    assert.match(await runCheck(plain, { imap: {} }), /^failed: "220 mail\.test ESMTP Exim .*" is not IMAP$/)
    assert.match(await runCheck(plain, { pop3: {} }), /^failed: "220 mail\.test ESMTP Exim .*" is not POP3$/)
  })
})

test('imap and pop3 checks of Dovecot', needsRoot('dovecot', 'openssl'), async (t) => {
  const { ports } = await dovecot(t, selfSigned(t))
  const [imap, imaps, pop3, pop3s] = ports.map((port) => `127.0.0.1:${port}`)
  const login = { user: 'u"v', password: 'secret' }

  await t.test('imap in the clear, over STARTTLS and over TLS', async () => {
    assert.equal(await runCheck(imap, { imap: {} }), 'ok: NOOP is answered')
    assert.equal(await runCheck(imap, { imap: { ...login, tls: 'upgrade' } }), 'ok: logged in')
    assert.equal(await runCheck(imaps, { imap: { tls: 'direct' } }), 'ok: NOOP is answered')
    assert.match(
      await runCheck(imap, { imap: { user: 'u', password: 'wrong' } }),
      /^failed: the answer to LOGIN is "NO \[AUTHENTICATIONFAILED\] /,
    )
  })

  await t.test('pop3 in the clear, over STLS and over TLS', async () => {
    assert.equal(await runCheck(pop3, { pop3: {} }), 'ok: the greeting is +OK')
    assert.equal(await runCheck(pop3, { pop3: { ...login, tls: 'upgrade' } }), 'ok: logged in')
    assert.equal(await runCheck(pop3s, { pop3: { tls: 'direct' } }), 'ok: the greeting is +OK')
    assert.match(await runCheck(pop3, { pop3: { user: 'u', password: 'wrong' } }), /^failed: the answer to PASS is "-ERR /)
    assert.match(await runCheck(pop3, { smtp: {} }), /^failed: "\+OK Dovecot .*" is not SMTP$/)
  })
})
