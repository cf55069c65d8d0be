/** TLS as programs of others see it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { Authority } from '../support/openssl.ts'
import { origin } from '../support/origin.ts'

/** testssl makes hundreds of connections, one after the other. */
const SLOW = { timeout: 600_000 }

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

function run(name: string, options: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program(name), options, { cwd, maxBuffer: 1 << 26 }, (_, stdout, stderr) => resolve(stdout + stderr))
  })
}

test('testssl.sh finds nothing at medium or above', { ...needs('testssl', 'openssl'), ...SLOW }, async (t) => {
  const authority = new Authority(t)
  const certificates = (['ec', 'rsa'] as const).map((key) => {
    const { certFile, keyFile } = authority.issue({ name: 'localhost', key, days: 90 })
    return { cert: certFile, key: keyFile }
  })
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates } } }))
  const folder = temporaryFolder(t)
  const report = join(folder, 'report.json')
  const target = ['--ip', '127.0.0.1', '--nodns', 'none', `localhost:${await running.port('web')}`]
  const checks = ['-p', '-s', '-f', '-S', '-P', '-U']
  const output = await run(
    'testssl',
    ['--quiet', '--color', '0', '--warnings', 'off', '--fast', '--add-ca', authority.certFile, '--jsonfile', report, ...checks, ...target],
    folder,
  )
  const findings: Finding[] = JSON.parse(readFileSync(report, 'utf8'))
  assert.ok(findings.length > 50, output)
  // What it says of the certificates is about those of this test: an authority of its own, without revocation lists.
  const bad = findings.filter(({ id, severity }) => /MEDIUM|HIGH|CRITICAL|FATAL/.test(severity) && !id.startsWith('cert_'))
  assert.deepEqual(bad, [])
  assert.ok(findings.some(({ id, finding }) => id === 'TLS1_3' && /offered/.test(finding)))
})

test('a browser shows the page', { ...needs('chromium', 'openssl'), ...SLOW }, async (t) => {
  const issued = new Authority(t).issue({ name: 'localhost' })
  const app = await origin(t, 'app', (_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<title>Hello over TLS</title>')
  })
  const tls = { certificates: { cert: issued.certFile, key: issued.keyFile } }
  const running = await evener(t, proxyTo([app.address], { listener: { tls } }))
  const folder = temporaryFolder(t)
  const options = ['--headless', '--no-sandbox', '--disable-gpu', '--ignore-certificate-errors', `--user-data-dir=${folder}`, '--dump-dom']
  const page = await run('chromium', [...options, `https://localhost:${await running.port('web')}/`], folder)
  assert.match(page, /<title>Hello over TLS<\/title>/)
  assert.equal(app.requests[0].headers['x-forwarded-proto'], 'https')
})

test('openssl s_client speaks TLS 1.2 and 1.3, with each key exchange that is offered', needs('openssl'), async (t) => {
  const issued = new Authority(t).issue({ name: 'localhost', key: 'rsa' })
  const app = await origin(t)
  const running = await evener(
    t,
    proxyTo([app.address], { listener: { tls: { certificates: { cert: issued.certFile, key: issued.keyFile } } } }),
  )
  const target = ['-connect', `127.0.0.1:${await running.port('web')}`, '-servername', 'localhost']
  for (const version of ['-tls1_2', '-tls1_3']) {
    for (const group of ['X25519', 'P-256', 'P-384']) {
      const child = execFile(program('openssl'), ['s_client', ...target, version, '-curves', group, '-alpn', 'http/1.1', '-ign_eof'])
      t.after(() => void child.kill('SIGKILL'))
      let output = ''
      child.stdout?.on('data', (chunk: string) => (output += chunk))
      child.stdin?.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
      await new Promise((resolve) => child.once('close', resolve))
      assert.match(output, /ALPN protocol: http\/1\.1[\s\S]*HTTP\/1\.1 200 /)
    }
  }
})
