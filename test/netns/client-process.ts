import { Agent, request } from 'node:http'

/**
 * Connections that are held: opens `count` of them to host:port, one after the other, asks once over each, prints the bodies as one line
 * and keeps them all until its input ends.
 */
const [host, port, count] = process.argv.slice(2)
const agents: Agent[] = []

async function ask(): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return new Promise((resolve) => {
    const asked = request({ host, port: Number(port), agent, timeout: 5000 }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
    })
    asked.on('timeout', () => asked.destroy(new Error('time-out')))
    asked.on('error', () => resolve('x'))
    asked.end()
  })
}

let bodies = ''
for (let index = 0; index < Number(count); index++) bodies += await ask()
process.stdout.write(`${bodies}\n`)
process.stdin.resume()
process.stdin.on('end', () => {
  for (const agent of agents) agent.destroy()
})
