import { z } from 'zod'
import { complain, fieldName, fieldValue, oneOrMore, options } from '../schema/index.ts'

/** RFC 9110 §7.6.1 and RFC 9112 §6: these frame the message or belong to one connection. */
const FRAMING = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** A request that is forwarded, a response that is forwarded, or an answer that the route itself gives. */
type Side = 'request' | 'response' | 'answer'
type Use = 'set' | 'add' | 'remove'

/** Fields to set, add and remove. */
export function headerEdit(side: Side) {
  return options({
    set: headerMap(side, 'set').default({}).describe('Replaces all fields of the name.'),
    add: headerMap(side, 'add').default({}).describe('Adds a field.'),
    remove: oneOrMore(editable(side, 'remove'))
      .default([])
      .describe('Removes all fields of the name, from heads and trailers, and of names that differ by a mark only ("x_a" for "x-a").'),
  })
}

/** Values by the name of a field that may be written there. */
export function headerMap(side: Side, use: Use = 'set') {
  return z.record(editable(side, use), fieldValue)
}

function editable(side: Side, use: Use) {
  return fieldName.check(
    z.superRefine((text, context) => {
      const name = text.toLowerCase()
      const objection = objectionTo(name, side, use)
      if (objection !== undefined)
        complain(context, { code: 'CONFIG_INVALID_HEADER', message: `"${text}" cannot be changed here: ${objection}` })
    }),
  )
}

function objectionTo(name: string, side: Side, use: Use): string | undefined {
  if (FRAMING.includes(name)) return 'it frames the message or belongs to one connection'
  if (side === 'answer' && name === 'content-type') return 'it has an option of its own, "contentType"'
  if (side === 'request' && name === 'host' && use === 'remove') return 'a request must have a Host'
  if (side === 'request' && name === 'host' && use === 'add') return 'a request has one Host; set it instead'
  return undefined
}
