import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { command } from '../support/command.ts'

test('evener explain names the route, the pool and where they stand in the configuration', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'edge.yaml')
  writeFileSync(join(folder, 'pools.yaml'), 'pools:\n  app:\n    servers: ["10.0.0.1:80"]\n')
  writeFileSync(
    file,
    `include: pools.yaml
listeners:
  web:
    bind: "127.0.0.1:8080"
    http:
      routes:
        - match: { path: "/ping" }
          respond: { status: 200, body: pong }
        - pool: app
`,
  )
  const { code, stdout, stderr } = await command(t, ['explain', '/shop', '-c', file])
  assert.equal(code, 0, stderr)
  const words = stdout.replaceAll(`${folder}/`, '')
  assert.match(words, /^listener web \(edge\.yaml:3\)$/m)
  assert.match(words, /^ {2}✖ listeners\.web\.http\.routes\[0\] \(edge\.yaml:7\)$/m)
  assert.match(words, /^ {2}✔ listeners\.web\.http\.routes\[1\] \(edge\.yaml:9\)$/m)
  assert.match(words, /^ {2}pool app \(pools\.yaml:2\): round-robin over 10\.0\.0\.1:80 /m)
})

test('evener explain tells the pools of a split, and what keeps a client with its server', async (t) => {
  const examples = join(import.meta.dirname, '../../examples')
  const split = await command(t, ['explain', '/', '-c', join(examples, 'canary/evener.yaml')])
  assert.match(split.stdout, /^ {2}action: split: pool app 19 of 20, pool canary 1 of 20$/m)
  assert.match(split.stdout, /^ {2}pool canary \(.*\): round-robin over 127\.0\.0\.1:3003 /m)
  const sessions = await command(t, ['explain', '/', '-c', join(examples, 'sessions/evener.yaml')])
  assert.match(sessions.stdout, /, cookie SHOPSRV first$/m)
})
