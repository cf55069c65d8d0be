/**
 * Small HTTP servers to balance over: `node examples/servers.mjs 3001 3002 3003`, one for each port. Each says which one it is, and
 * counts its requests. GET /healthz answers 200, and 503 after `GET /healthz/fail` until `GET /healthz/heal`.
 */
import { createServer } from 'node:http'

for (const argument of process.argv.slice(2)) {
  let count = 0
  let isHealthy = true
  const server = createServer((request, response) => {
    const { port } = server.address()
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    if (request.url === '/healthz/fail' || request.url === '/healthz/heal') isHealthy = request.url === '/healthz/heal'
    if (request.url.startsWith('/healthz')) {
      response.statusCode = isHealthy ? 200 : 503
      return response.end(isHealthy ? 'ok\n' : 'failing\n')
    }
    count++
    response.end(
      `server ${port}, request ${count}: ${request.method} ${request.headers.host}${request.url} for ${request.headers['x-forwarded-for'] ?? 'nobody'}\n`,
    )
  })
  server.keepAliveTimeout = 65_000
  server.listen(Number(argument), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
}
