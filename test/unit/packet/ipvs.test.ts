import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MessageBuilder } from '../../../src/kernel/netlink/index.ts'
import { type PacketServer, type PacketService, SERVICE_DEFAULTS } from '../../../src/packet/index.ts'
import { parseConnections } from '../../../src/packet/ipvs/connections.ts'
import { keysOf, portOf, writeDestination, writeDestinationKey, writeService, writeServiceKey } from '../../../src/packet/ipvs/messages.ts'

const DEL_DEST = 7

interface Recording {
  readonly messages: readonly { readonly command: string; readonly message: string }[]
}

const recording = JSON.parse(readFileSync(join(import.meta.dirname, 'ipvsadm.json'), 'utf8')) as Recording
const recorded = new Map(recording.messages.map(({ command, message }) => [command.slice('ipvsadm '.length), message]))

function service(address: string, port: number, over: Partial<PacketService> = {}): PacketService {
  return {
    ...SERVICE_DEFAULTS,
    name: 'web',
    addresses: [{ address, firstPort: port, lastPort: port }],
    servers: [],
    hashPort: false,
    hashFallback: false,
    ...over,
  }
}

function server(address: string, port: number, over: Partial<PacketServer> = {}): PacketServer {
  return { name: 'a', address, port, weight: 1, share: 1, tier: 0, isDown: false, isDraining: false, upper: 0, lower: 0, ...over }
}

/** Everything behind the netlink header: the family's number and the sequence differ from run to run. */
function message(command: number, of: PacketService, to?: PacketServer): string {
  const builder = new MessageBuilder(0, 0, Uint8Array.of(command, 1, 0, 0))
  const [key] = keysOf(of)
  if (command <= 2) writeService(builder, key, of)
  else writeServiceKey(builder, key)
  if (to !== undefined && command === DEL_DEST) writeDestinationKey(builder, to.address, portOf(key, to))
  else if (to !== undefined) writeDestination(builder, of, to, portOf(key, to))
  return Buffer.from(builder.build().subarray(16)).toString('hex')
}

const vip = '10.0.0.100'
const web = service(vip, 80)
const six = service('fd00::100', 80)

const cases: [command: string, actual: string][] = [
  ['-A -t 10.0.0.100:80 -s wlc', message(1, web)],
  ['-A -u 10.0.0.100:53 -s rr -o', message(1, service(vip, 53, { protocols: ['udp'], algorithm: 'round-robin', onePacket: true }))],
  [
    '-A -t 10.0.0.100:443 -s sh -b sh-fallback,sh-port',
    message(1, service(vip, 443, { algorithm: 'source-hash', hashPort: true, hashFallback: true })),
  ],
  ['-A -t 10.0.0.100:443 -s mh -b mh-port', message(1, service(vip, 443, { algorithm: 'maglev', hashPort: true }))],
  [
    '-E -t 10.0.0.100:80 -s wrr -p 600 -M 255.255.255.0',
    message(2, service(vip, 80, { algorithm: 'weighted-round-robin', persistenceSeconds: 600, persistencePrefix4: 24 })),
  ],
  [
    '-A -t [fd00::100]:80 -s lblcr -p 300 -M 64',
    message(1, service('fd00::100', 80, { algorithm: 'locality-replicated', persistenceSeconds: 300, persistencePrefix6: 64 })),
  ],
  ['-A --sctp-service 10.0.0.100:36412 -s twos', message(1, service(vip, 36412, { protocols: ['sctp'], algorithm: 'two-choices' }))],
  ['-A -f 7 -s fo -p 60', message(1, service(vip, 0, { mark: 7, algorithm: 'weighted-failover', persistenceSeconds: 60 }))],
  ['-A -f 8 -6 -s ovf', message(1, service('fd00::100', 0, { mark: 8, algorithm: 'overflow' }))],
  ['-D -t 10.0.0.100:80', message(3, web)],
  ['-D -f 7', message(3, service(vip, 0, { mark: 7 }))],
  ['-a -t 10.0.0.100:80 -r 10.0.0.11:8080 -m -w 3', message(5, web, server('10.0.0.11', 8080, { weight: 3 }))],
  [
    '-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 1 -x 1000 -y 900',
    message(5, service(vip, 80, { forward: 'dr' }), server('10.0.0.12', 0, { upper: 1000, lower: 900 })),
  ],
  [
    '-a -t 10.0.0.100:80 -r 10.0.0.13:80 -i -w 0',
    message(5, service(vip, 80, { forward: 'tun' }), server('10.0.0.13', 0, { weight: 9, isDraining: true })),
  ],
  [
    '-a -t 10.0.0.100:80 -r 10.0.0.13:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-nocsum',
    message(5, service(vip, 80, { forward: 'tun', encapsulation: 'gue' }), server('10.0.0.13', 0, { weight: 2 })),
  ],
  ['-a -t 10.0.0.100:80 -r [fd00::11]:80 -i -w 1', message(5, service(vip, 80, { forward: 'tun' }), server('fd00::11', 0))],
  ['-a -f 7 -r 10.0.0.11 -g -w 5', message(5, service(vip, 0, { mark: 7, forward: 'dr' }), server('10.0.0.11', 0, { weight: 5 }))],
  ['-e -t [fd00::100]:80 -r [fd00::11]:8080 -m -w 6', message(6, six, server('fd00::11', 8080, { weight: 6 }))],
  ['-d -t 10.0.0.100:80 -r 10.0.0.11:8080', message(7, web, server('10.0.0.11', 8080))],
  ['-d -f 7 -r 10.0.0.11', message(7, service(vip, 0, { mark: 7 }), server('10.0.0.11', 0))],
]

for (const [command, actual] of cases) {
  test(`what ipvsadm ${command} sends`, () => {
    assert.equal(actual, recorded.get(command))
  })
}

test('every recorded message has its counterpart', () => {
  assert.deepEqual(cases.map(([command]) => command).sort(), [...recorded.keys()].sort())
})

test('a line of /proc/net/ip_vs_conn is a flow', () => {
  const text = [
    'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData',
    'TCP C0000207 A2B4 0A000064 0050 0A00000B 1F90 ESTABLISHED     899',
    'UDP 2001:0db8:0000:0000:0000:0000:0000:0007 1234 fd00:0000:0000:0000:0000:0000:0000:0100 0035 fd00:0000:0000:0000:0000:0000:0000:0011 0035 UDP             299',
    '',
  ].join('\n')
  const known = service(vip, 80, { servers: [server('10.0.0.11', 8080)] })
  assert.deepEqual(parseConnections(text, [known]), [
    { protocol: 'tcp', client: '192.0.2.7', clientPort: 0xa2b4, address: vip, port: 80, service: 'web', server: 'a', state: 'established' },
    {
      protocol: 'udp',
      client: '2001:db8::7',
      clientPort: 0x1234,
      address: 'fd00::100',
      port: 53,
      service: '',
      server: 'fd00::11:53',
      state: 'udp',
    },
  ])
})
