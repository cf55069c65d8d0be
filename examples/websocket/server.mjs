/** Echoes WebSocket messages with its port before them: `node examples/websocket/server.mjs 3002 3003`. Needs the package ws. */
import { WebSocketServer } from 'ws'

for (const argument of process.argv.slice(2)) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: Number(argument) })
  server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
  server.on('connection', (socket) => {
    socket.on('message', (message) => socket.send(`server ${server.address().port}: ${message}`))
  })
}
