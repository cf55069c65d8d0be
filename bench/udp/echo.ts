/** Sends every datagram back. Prints its port; ends with its standard input. */
import { createEngine } from '../../src/engine/index.ts'

const { engine } = await createEngine()
const socket = await engine.bindDatagrams(
  { address: { family: 4, host: '127.0.0.1', port: 0 } },
  { received: (from, start, end) => from.sendTo(start, end, from.source), failed() {} },
)
engine.start()
if (socket.local.family !== 'unix') console.log(socket.local.port)
process.stdin.on('end', () => process.exit(0)).resume()
