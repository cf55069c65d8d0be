/**
 * proxy: requests and connections go through us, both ways.
 *
 * In: connections of the engine, a Plan. Out: requests to servers, responses to clients, counts and log lines. A ProxyWorker owns
 * all of it in one worker thread; bytes stay in the engine's arena from the socket they came from to the socket they go to.
 *
 *   sites.ts ─▶ listener.ts ─▶ downstream.ts ─▶ exchange.ts: admit → route → pick → attempt → deliver → complete
 *   (Plans)                    (a client)                                         │
 *                  │                                                         upstream/ (servers, their connections)
 *                  └─▶ stream/: open (route, pick, connect) → bytes both ways
 */
export type { ProxyPlan } from './build.ts'
export type { ChallengeAnswers } from './challenges.ts'
export { ConnectionCounts } from './connection-counts.ts'
export type { ExchangeLog, ProxyCounters } from './counters.ts'
export { introduceDatagram } from './datagram/introduction.ts'
export { SESSION_ENDS } from './datagram/termination.ts'
export type { Exchange } from './exchange.ts'
export { ExchangeLogger, NO_LOG } from './exchange-log.ts'
export { allocateSeries, PROXY_METRICS, type ProxySeries, RowCounters } from './metrics.ts'
export type { ListenerSite, RouteState } from './site.ts'
export type { PreparedSites } from './sites.ts'
export { StreamMatch } from './stream/match.ts'
export type { StreamRoutePlan } from './stream/plan.ts'
export { STREAM_ENDS } from './stream/termination.ts'
export { TERMINATION, TERMINATIONS } from './termination.ts'
export { type CertificatePlan, certificatesOf, fetchedStaple, selfSignedPaths, type TlsFiles } from './tls-plan.ts'
export { ProxyWorker, type ProxyWorkerOptions } from './worker.ts'
