/**
 * Every code that a diagnostic of the configuration can have, listed once and never reused for another meaning.
 * docs/errors.md is generated from it, and a golden case shows each.
 */
export const CONFIG_CODES = {
  CONFIG_NOT_READABLE: 'a file cannot be read: it is not there, not permitted, not UTF-8',
  CONFIG_TOO_LARGE: 'a file is larger, nested deeper or multiplied by aliases further than the limits allow',
  CONFIG_SYNTAX: 'a file is not well-formed YAML, JSON or TypeScript, or its code fails',
  CONFIG_INCLUDE: 'an included file is not there, or has an option that only the main file may have',
  CONFIG_SUBSTITUTION: 'an environment variable or file that a value asks for is not there',
  CONFIG_UNKNOWN_KEY: 'there is no option with this name here',
  CONFIG_UNKNOWN_VALUE: 'the value is not one of those that the option knows',
  CONFIG_UNKNOWN_REFERENCE: 'a name refers to something that is not there',
  CONFIG_MISSING: 'a required option is missing',
  CONFIG_CONFLICT: 'options are given together that exclude each other',
  CONFIG_WRONG_TYPE: 'the value is of another type than the option wants',
  CONFIG_INVALID_VALUE: 'the value has the right type, and is not well-formed',
  CONFIG_OUT_OF_RANGE: 'a number, duration, size, list or text is smaller or larger than the option allows',
  CONFIG_INVALID_NAME: 'a name has characters that cannot stand in metrics, URLs and logs',
  CONFIG_INVALID_ADDRESS: 'an address, or a range of addresses, cannot be read',
  CONFIG_INVALID_HEADER: 'a field name or value that HTTP does not allow, or one that belongs to the framing of a message',
  CONFIG_INVALID_PATTERN: 'a path, host or regular expression that does not compile or that no request can match',
  CONFIG_BACKTRACKING: 'a regular expression takes exponential (error) or polynomial (warning) time over text that a client writes',
  CONFIG_DUPLICATE: 'two things have the same name, or the same address',
  CONFIG_TOKEN_REQUIRED: 'the admin endpoint can be reached from other machines and has no token',
  CONFIG_UNREACHABLE: 'a route can never match, because earlier ones always do (warning)',
  CONFIG_CERTIFICATE: 'a file has no certificate or key in it, or the two do not belong together',
  CONFIG_CERTIFICATE_EXPIRED: 'a certificate has expired (warning)',
  CONFIG_CERTIFICATE_STAPLE: 'a certificate demands a stapled OCSP response, and none is configured (warning)',
  CONFIG_UNUSED: 'something is configured that nothing uses (warning)',
} as const

export type ConfigCode = keyof typeof CONFIG_CODES
export type Severity = 'error' | 'warning'

/** What is wrong, in words. The place is the caller's to find. */
export interface Complaint {
  readonly code: ConfigCode
  readonly message: string
  /** What to write instead: `did you mean "x"?`, `for example "2s"`. */
  readonly hint?: string
  readonly severity?: Severity
}
