/**
 * tls: what both backends share of TLS: the options, names of certificates, the ClientHello and its fingerprints, ticket keys.
 *
 * In: certificates and options that were read elsewhere. Out: which certificates serve a name. No sockets, no OpenSSL.
 */
export { certificateNames, NameIndex } from './certificate-names.ts'
export { asksForChallenge, CHALLENGE_PROTOCOL, NO_CHALLENGES, type TlsChallenges } from './challenges.ts'
export { ClientHello } from './client-hello.ts'
export { ja3, ja4 } from './fingerprint.ts'
export { HANDSHAKE_RECORD, helloOf } from './hello-records.ts'
export {
  type CertificateOptions,
  type ClientCertificateOptions,
  NOT_SECURE,
  type Secure,
  type TlsClient,
  type TlsClientOptions,
  type TlsServer,
  type TlsServerOptions,
  type TlsVersion,
} from './options.ts'
export { TicketKeys } from './ticket-keys.ts'
