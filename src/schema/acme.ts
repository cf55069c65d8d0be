import { z } from 'zod'

/** How an authority is shown that a name is ours. */
export const CHALLENGES = ['tls-alpn-01', 'http-01', 'dns-01'] as const
export type ChallengeKind = (typeof CHALLENGES)[number]
export const challengeKind = z.enum(CHALLENGES)

/** Kinds of keys for certificates. */
export const KEY_TYPES = ['ec256', 'ec384', 'rsa2048', 'rsa3072', 'rsa4096'] as const
export type KeyType = (typeof KEY_TYPES)[number]
export const keyType = z.enum(KEY_TYPES)

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const NAME = new RegExp(`^(?:\\*\\.)?(?:${LABEL}\\.)+${LABEL}$`)

/** A host name with at least one dot, or a wildcard for one label; lower case. */
export const certificateName = z
  .string()
  .max(253)
  .transform((name) => name.toLowerCase())
  .refine((name) => NAME.test(name), 'a host name is expected, "shop.test" or "*.shop.test"')
