import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'

/** One connection that stays: each line on the input asks once more over it, and the answer is a line on the output; "gone" when it broke. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const [host, port] = process.argv.slice(2)

const questions = createInterface({ input: process.stdin })
questions.on('close', () => agent.destroy())
questions.on('line', () => {
  const asked = request({ host, port: Number(port), agent, timeout: 5000 }, (response) => {
    let body = ''
    response.on('data', (chunk) => {
      body += chunk
    })
    response.on('end', () => process.stdout.write(`${body}\n`))
  })
  asked.on('timeout', () => asked.destroy(new Error('time-out')))
  asked.on('error', () => process.stdout.write('gone\n'))
  asked.end()
})
