import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Cleanup, temporaryFolder } from './cleanup.ts'

const BINARY = fileURLToPath(new URL('../../bin/evener.js', import.meta.url))

export interface FakeAgent {
  readonly port: number
  /** What it says from now on. */
  say(what: string | object): void
  /** Resolves once it has been asked `times` more. */
  asked(times?: number): Promise<void>
}

/** An agent that says what the test wants: a line of text, or a JSON document over HTTP. */
export async function fakeAgent(t: Cleanup, first: string | object): Promise<FakeAgent> {
  let what = first
  const server: Server =
    typeof first === 'string'
      ? createServer((socket) => {
          socket.on('error', () => {})
          socket.end(`${what}\n`, () => server.emit('asked'))
        })
      : createHttpServer((_request, response) => {
          response.end(JSON.stringify(what), () => server.emit('asked'))
        })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    say: (next) => {
      what = next
    },
    asked: async (times = 1) => {
      for (let i = 0; i < times; i++) await once(server, 'asked')
    },
  }
}

export interface AgentProcess {
  readonly text: number
  readonly json: number
  /** Replaces what its state file says. */
  wish(line: string): void
  readonly errors: () => string
}

/** `evener agent` as a process, with a state file of its own. */
export async function agentProcess(t: Cleanup): Promise<AgentProcess> {
  const stateFile = join(temporaryFolder(t), 'state')
  const flags = ['--text', '127.0.0.1:0', '--json', '127.0.0.1:0', '--state-file', stateFile]
  const child = spawn(process.execPath, [BINARY, 'agent', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  t.after(() => void child.kill('SIGKILL'))
  let [output, errors] = ['', '']
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk))
  while (!/json on .*\n/.test(output)) output += (await once(child.stdout, 'data'))[0]
  const port = (what: string): number => Number(new RegExp(`^${what} on 127\\.0\\.0\\.1:(\\d+)$`, 'm').exec(output)?.[1])
  return { text: port('text'), json: port('json'), wish: (line) => writeFileSync(stateFile, `${line}\n`), errors: () => errors }
}
