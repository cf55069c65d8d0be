/**
 * schema: how rooms declare their options, each once: type, limits, default, words and example. From the declarations come
 * the checks, the types of defineConfig(), the JSON Schema and docs/config.md.
 *
 * In: zod 4 and the values of this room. Out: schemas whose parsed values are normalised (milliseconds, bytes, addresses), and
 * whose issues carry a Complaint: code, sentence and hint.
 */
export { CHALLENGES, type ChallengeKind, certificateName, challengeKind, KEY_TYPES, type KeyType, keyType } from './acme.ts'
export { address, cidr, serverAddress } from './address.ts'
export { CONFIG_CODES, type Complaint, type ConfigCode, type Severity } from './codes.ts'
export { type Context, complain, complaintOf, type Path, suggest } from './complain.ts'
export { checkCookie, cookieShape, normaliseCookie, stickyCookie } from './cookie.ts'
export { type DurationText, duration, durationBetween, durationOrNone, formatDuration } from './duration.ts'
export { fieldName, fieldValue, isToken, method } from './field.ts'
export { name } from './name.ts'
export { editDistance, nearest } from './nearest.ts'
export { always, exactlyOne, given, inherited, oneOrMore, options, type Report } from './option.ts'
export { checkRegex, countGroups, isSlowRegex, regex } from './pattern.ts'
export { type Backtracking, judgeBacktracking } from './regex/backtracking.ts'
export { parseRequestKey, type RequestKeyKind, requestKey } from './request-key.ts'
export { formatSize, type SizeText, size, sizeBetween, sizeOrNone } from './size.ts'
export { checkTemplate, readTemplate, type TemplatePiece } from './template.ts'
