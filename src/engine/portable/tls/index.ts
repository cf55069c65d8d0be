/**
 * tls: TLS by node:tls, for the portable engine.
 *
 * In: sockets of node:net that are connected. Out: TLSSockets, which PortableConnection treats like any other socket. What node:tls does
 * not tell is missing: a FIN without close_notify looks like an end, and a key of the tickets is forgotten when the next one comes.
 */
export { PortableTlsClient } from './client.ts'
export { PortableSecure } from './secure.ts'
export { type PortableAcceptor, PortableTlsServer } from './server.ts'
