/**
 * tls: TLS on the ring, by the OpenSSL that Node exports (native/tls.h).
 *
 * In: sockets as RingConnection, options of src/engine/tls. Out: TlsConnection, which looks like any other connection. Ciphertext and
 * plaintext both lie in the arena; one call decrypts what one completion brought, one encrypts what one turn has queued.
 */
export { RingTlsClient } from './client.ts'
export { TlsConnection } from './connection.ts'
export { RingTlsServer } from './server.ts'
export { TlsThread } from './thread.ts'
