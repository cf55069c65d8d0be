import { Agent, request } from 'node:http'

/**
 * Connections that are held. The argument is JSON, [host, port, count] for each group: opens so many connections, one after the other, asks
 * once over each, and prints the bodies of a group as one line. All stay open until the input ends.
 */
const groups = JSON.parse(process.argv[2]) as [host: string, port: number, count: number][]
const agents: Agent[] = []

function ask(host: string, port: number): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return new Promise((resolve) => {
    const asked = request({ host, port, agent, timeout: 5000 }, (response) => {
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

for (const [host, port, count] of groups) {
  let bodies = ''
  for (let index = 0; index < count; index++) bodies += await ask(host, port)
  process.stdout.write(`${bodies}\n`)
}
process.stdin.resume()
process.stdin.on('end', () => {
  for (const agent of agents) agent.destroy()
})
