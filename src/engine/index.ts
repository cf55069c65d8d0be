/**
 * engine: listeners, connections and timers for the rooms above.
 *
 * In: addresses to listen on and connect to. Out: events on a ConnectionHandler, with bytes as offsets into one arena.
 * The engine owns the arena; a room keeps bytes beyond a call only under a hold. Two backends stand behind one interface
 * and one conformance suite (test/conformance/engine.ts): `uring` and `portable`.
 */
export type { BackendProbe, EngineHooks } from './backend.ts'
export { Blocks } from './blocks.ts'
export type { CloseReason, Connection, ConnectionHandler, SpliceObserver } from './connection.ts'
export type { EngineCounters } from './counters.ts'
export { type CreatedEngine, createEngine, type EngineKind, probeUring } from './create.ts'
export { type DatagramHandler, type DatagramSocket, Endpoint } from './datagram.ts'
export type { BindOptions, ConnectOptions, Engine, Listener, ListenOptions, Preface, SecureHooks } from './engine.ts'
export { DEFAULT_ENGINE_OPTIONS, type EngineOptions } from './options.ts'
export { Timer, type TimerTarget, type TimerWheel, Wheel } from './timers.ts'
export {
  type CertificateOptions,
  certificateNames,
  NO_CHALLENGES,
  type Secure,
  TicketKeys,
  type TlsChallenges,
  type TlsClient,
  type TlsClientOptions,
  type TlsServer,
  type TlsServerOptions,
} from './tls/index.ts'
