/**
 * acme: certificates by ACME (RFC 8555), renewed when their authority wants it (RFC 9773).
 *
 * In: which certificates are wanted, a way to ask web servers, somebody who puts answers to challenges where the authority looks. Out: files in the
 * store, and word that there is a new one. No sockets and no clock of its own; keys are in the store's files and in memory, nowhere else.
 *
 *   keeper.ts (one certificate: when?) ─▶ order.ts ─▶ client.ts ─▶ jws.ts        store.ts: account keys, certificates
 *                   renewal.ts                └─▶ csr.ts
 */
export { AcmeClient } from './client.ts'
export type { AcmePlan, DnsHookPlan } from './config.ts'
export { Keeper, type KeeperParts, type KeeperStatus, type WantedCertificate } from './keeper.ts'
export type { Answerer, ChallengeAnswer } from './order.ts'
export { readStored, Store } from './store.ts'
