import { createEngine } from '../../src/engine/index.ts'

/** A process with nothing but an engine in it: says "alive" after a moment that only the engine can make it live to see, then closes. */
const kind = process.argv[2]
if (kind !== 'uring' && kind !== 'portable') throw new Error(`no engine is called ${kind}`)
const { engine } = await createEngine(kind, { blockCount: 256, receiveBlocks: 64 })
engine.start()
setTimeout(() => {
  console.log('alive')
  void engine.close()
}, 50).unref()
