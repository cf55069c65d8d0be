/**
 * core: addresses, clock, bytes, errors. Pure: nothing here touches a socket, a file or another room.
 */
export { formatAddress, parseAddress, type SocketAddress } from './address.ts'
export { addressBytes, type Cidr, formatCidr, parseCidr } from './cidr.ts'
export { CidrSet } from './cidr-set.ts'
export { type Clock, type Pace, systemClock, TurnClock } from './clock.ts'
export { DER, DER_NULL, DER_TRUE, DerValue, der, derObjectId, derTime, pem } from './der.ts'
export { ERROR_CODES, type ErrorCode, type ErrorRetry, type ErrorSide, EvenerError } from './errors.ts'
export { ClientAddress, formatIp, IP_TEXT_BYTES, parseIp, parseIpBytes, writeIp } from './ip.ts'
export type { Ask, WebRequest, WebResponse } from './web.ts'
export { type CertificateFields, mustStaple, readCertificateFields } from './x509.ts'
