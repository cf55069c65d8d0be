import { RealServer, type RealServerOptions } from '../../src/packet/index.ts'

/** A server's side in the namespace that this process was started in; it is undone when the input ends. */
const server = RealServer.open(JSON.parse(process.argv[2]) as RealServerOptions)
process.stdout.write(`${JSON.stringify(server.changes)}\n`)
process.stdin.on('end', () => {
  server.close()
  process.stdout.write('undone\n')
})
process.stdin.resume()
