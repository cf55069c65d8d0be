import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { program } from './needs.ts'
import { Authority } from './openssl.ts'
import { type Peer, startPeer } from './peers.ts'

export interface PebbleOptions {
  /** Where it looks for answers to challenges. */
  readonly httpPort?: number
  readonly tlsPort?: number
  /** "127.0.0.1:4711"; without it one is started that says 127.0.0.1 for every name. */
  readonly dnsServer?: string
  readonly validitySeconds?: number
  readonly ocspUrl?: string
  readonly externalAccounts?: Readonly<Record<string, string>>
  /** Of so many percent of good nonces it says that they are bad. */
  readonly rejectedNonces?: number
  readonly blockedNames?: readonly string[]
}

export interface Pebble {
  readonly peer: Peer
  readonly directory: string
  /** PEM file with the authority of the directory's own certificate. */
  readonly caFile: string
  /** PEM of what certificates are signed with, "roots/0", "intermediates/0", "intermediate-keys/0". */
  material(name: string): Promise<string>
}

/** Pebble, Let's Encrypt's authority for tests. */
export async function pebble(t: Cleanup, options: PebbleOptions = {}): Promise<Pebble> {
  const authority = new Authority(t, 'Directory Root')
  const site = authority.issue({ name: 'localhost' })
  const dnsServer = options.dnsServer ?? (await localNames(t))
  const environment = {
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_AUTHZREUSE: '0',
    PEBBLE_WFE_NONCEREJECT: String(options.rejectedNonces ?? 0),
  }
  const peer = await startPeer(t, 2, ([acme, management], folder) => {
    const file = join(folder, 'pebble.json')
    const config = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: site.certFile,
      privateKey: site.keyFile,
      httpPort: options.httpPort ?? 1,
      tlsPort: options.tlsPort ?? 1,
      ocspResponderURL: options.ocspUrl ?? '',
      externalAccountBindingRequired: options.externalAccounts !== undefined,
      externalAccountMACKeys: options.externalAccounts,
      domainBlocklist: options.blockedNames ?? [],
      certificateValidityPeriod: options.validitySeconds ?? 90 * 86_400,
    }
    writeFileSync(file, JSON.stringify({ pebble: config }))
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    return ['env', ...variables, program('pebble'), '-config', file, '-dnsserver', dnsServer, '-strict']
  })
  const [acme, management] = peer.ports
  const agent = new Agent({ ca: authority.cert })
  return {
    peer,
    directory: `https://localhost:${acme}/dir`,
    caFile: authority.certFile,
    material: (name) =>
      new Promise((resolve, reject) => {
        const question = get(`https://localhost:${management}/${name}`, { agent }, (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve(text))
        })
        question.on('error', reject)
      }),
  }
}

/** A DNS server that says 127.0.0.1 for every name, with records of TXT that are set over HTTP. Its address, "127.0.0.1:4711". */
export async function localNames(t: Cleanup): Promise<string> {
  return (await challengeServer(t)).dns
}

export interface ChallengeServer {
  readonly dns: string
  /** Where records are set: POST /set-txt, /clear-txt. */
  readonly url: string
}

export async function challengeServer(t: Cleanup): Promise<ChallengeServer> {
  const peer = await startPeer(t, 2, ([dns, management]) => {
    const off = ['-http01', '', '-https01', '', '-tlsalpn01', '']
    return [
      program('pebble-challtestsrv'),
      '-dns01',
      `127.0.0.1:${dns}`,
      '-management',
      `127.0.0.1:${management}`,
      '-defaultIPv6',
      '',
      ...off,
    ]
  })
  return { dns: `127.0.0.1:${peer.ports[0]}`, url: `http://127.0.0.1:${peer.ports[1]}` }
}
