import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { program } from './needs.ts'
import { type Peer, startPeer } from './peers.ts'

export interface Knot {
  /** "127.0.0.1:4711" */
  readonly address: string
  readonly port: number
  readonly peer: Peer
  /** Other records: lines of the zone "test.". In force as soon as a question is answered with them. */
  zone(records: string): void
}

/** Knot DNS, authoritative for "test.". */
export async function knot(t: Cleanup, records: string): Promise<Knot> {
  let serial = 1
  const write = (folder: string, lines: string) => writeFileSync(join(folder, 'test.zone'), zoneFile(serial++, lines))
  const peer = await startPeer(t, 1, ([port], folder) => {
    write(folder, records)
    const file = join(folder, 'knot.conf')
    writeFileSync(
      file,
      `server:
  rundir: "${folder}"
  listen: [ 127.0.0.1@${port} ]
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}"
log:
  - target: stderr
    any: info
zone:
  - domain: test.
    file: "${join(folder, 'test.zone')}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
`,
    )
    return [program('knotd'), '-c', file]
  })
  const [port] = peer.ports
  return {
    address: `127.0.0.1:${port}`,
    port,
    peer,
    zone: (lines) => {
      write(peer.folder, lines)
      peer.process.kill('SIGHUP')
    },
  }
}

function zoneFile(serial: number, records: string): string {
  return `$ORIGIN test.
$TTL 1
@ SOA ns.test. root.test. ${serial} 3600 600 86400 1
@ NS ns.test.
ns A 127.0.0.1
${records}
`
}
