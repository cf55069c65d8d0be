import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { PacketPlane, type PacketPlaneOptions, type PacketServer, type PacketService } from '../../src/packet/index.ts'

/**
 * A packet plane in the namespace that this process was started in, told what to do by lines of JSON on its input; each is answered by
 * one line. It ages flows and keeps neighbours itself, every second.
 */
interface Order {
  readonly do: 'status' | 'flows' | 'update' | 'apply' | 'close'
  readonly service?: string
  readonly server?: PacketServer
  readonly services?: readonly PacketService[]
  readonly keep?: boolean
}

const setting = JSON.parse(readFileSync(process.argv[2], 'utf8')) as { options: PacketPlaneOptions; services: PacketService[] }
const plane = PacketPlane.open(setting.options, setting.services)
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
const upkeep = setInterval(() => {
  plane.age()
  plane.keepNeighbours()
}, 1000)

function carryOut(order: Order): unknown {
  if (order.do === 'status') return plane.status()
  if (order.do === 'flows') return plane.flows(100_000)
  if (order.do === 'update' && order.service !== undefined && order.server !== undefined) plane.updateServers(order.service, [order.server])
  if (order.do === 'apply' && order.services !== undefined) plane.apply(order.services)
  if (order.do === 'close') {
    clearInterval(upkeep)
    plane.close({ keep: order.keep === true })
    lines.close()
  }
  return { done: true }
}

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => say(carryOut(JSON.parse(line) as Order)))
say({ interfaces: plane.describe() })
