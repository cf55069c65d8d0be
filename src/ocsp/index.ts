/**
 * ocsp: responses of authorities that a certificate is good (RFC 6960), to be stapled to handshakes.
 *
 * In: a chain of certificates, a way to ask web servers. Out: a response that was verified as a client would, and word when there is another one. No sockets
 * and no clock of its own. Whatever a responder sends is hostile: a response is stapled only if every check of it was good.
 *
 *   stapler.ts (when to ask) ─▶ subject.ts (the question) ─▶ response.ts (is the answer good?)
 */
export { Stapler, type StaplerParts, type StaplerStatus } from './stapler.ts'
export { type OcspSubject, subjectOf } from './subject.ts'
