/**
 * The PROXY protocol: what stands before the first byte of a connection that came through a balancer.
 *
 * In: the bytes of a header, version 1 or 2. Out: who the client is. And the other way round. No input or output here.
 */
export { HEADER_FAULT, ProxyHeader } from './header.ts'
export { MAX_HEADER_BYTES, parseProxyHeader } from './parse.ts'
export { writeSsl } from './ssl.ts'
export { PROXY_HEADER_ROOM, type ProxiedEnds, type ProxyTlvs, writeProxyHeader, writeProxyLine } from './write.ts'
