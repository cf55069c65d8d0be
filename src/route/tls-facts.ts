/** What TLS says of a connection, as far as routes may ask for it. */
export const TLS_FACTS = ['version', 'cipher', 'serverName', 'ja3', 'ja4', 'peerSubject'] as const

export type TlsFact = (typeof TLS_FACTS)[number]

/** Texts are empty where there is nothing to say. */
export type TlsFacts = Readonly<Record<TlsFact, string>>

/** Of a connection in the clear. */
export const NO_TLS: TlsFacts = { version: '', cipher: '', serverName: '', ja3: '', ja4: '', peerSubject: '' }
