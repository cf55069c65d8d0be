/**
 * Agents that say what they are told: `node examples/agents.mjs 3003 3004`, one for each port. `GET /set?cpu=80&admin=drain` changes
 * what they say; anything else is answered with it. On a real machine, `evener agent` measures it.
 */
import { createServer } from 'node:http'

for (const argument of process.argv.slice(2)) {
  const said = { cpu: 20, memory: 20 }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://agent.test')
    if (pathname === '/set') for (const [key, value] of searchParams) said[key] = /^\d+$/.test(value) ? Number(value) : value
    response.setHeader('Content-Type', 'application/json')
    response.end(`${JSON.stringify(said)}\n`)
  })
  server.listen(Number(argument), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
}
