import { createEngine } from '../../src/engine/index.ts'

/** Run in a network namespace without routes: prints how a connect from there ends. argv: kind of engine, host. */
const [kind, host] = process.argv.slice(2)
if (kind !== 'uring' && kind !== 'portable') throw new Error(`no engine is called ${kind}`)
const { engine } = await createEngine(kind, { blockCount: 256, receiveBlocks: 64 })
engine.start()
engine.connect(
  { family: host.includes(':') ? 6 : 4, host, port: 80 },
  { timeoutMs: 20_000 },
  {
    opened: () => console.log('opened'),
    received() {},
    ended() {},
    drained() {},
    closed: (_, reason) => {
      console.log(reason)
      engine.defer(() => void engine.close())
    },
  },
)
