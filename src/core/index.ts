/**
 * core: addresses, clock, bytes, errors. Pure: nothing here touches a socket, a file or another room.
 */
export { formatAddress, parseAddress, type SocketAddress } from './address.ts'
export { addressBytes, formatCidr, parseCidr, type Cidr } from './cidr.ts'
export { CidrSet } from './cidr-set.ts'
export { systemClock, TurnClock, type Clock } from './clock.ts'
export { ERROR_CODES, EvenerError, type ErrorCode, type ErrorRetry, type ErrorSide } from './errors.ts'
export { ClientAddress, formatIp, IP_TEXT_BYTES, parseIp, parseIpBytes, writeIp } from './ip.ts'
