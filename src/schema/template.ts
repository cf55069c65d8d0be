import type { Complaint } from './codes.ts'
import { nearest } from './nearest.ts'

export type TemplatePiece = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'variable'; readonly name: string }

/** "{host}/x" → the variable "host" and the text "/x". Braces around anything but a word are text. */
export function readTemplate(template: string): TemplatePiece[] {
  return template
    .split(/(\{\w+\})/)
    .filter((text) => text !== '')
    .map((text) => {
      const name = /^\{(\w+)\}$/.exec(text)?.[1]
      return name === undefined ? { kind: 'text', text } : { kind: 'variable', name }
    })
}

/** A complaint for each variable that is not known. */
export function checkTemplate(template: string, known: readonly string[]): Complaint[] {
  return readTemplate(template).flatMap((piece) => {
    if (piece.kind === 'text' || known.includes(piece.name)) return []
    const like = nearest(piece.name, known)
    const hint = like === undefined ? `there are ${known.map((name) => `{${name}}`).join(', ')}` : `did you mean {${like}}?`
    return [{ code: 'CONFIG_UNKNOWN_VALUE', message: `unknown variable {${piece.name}}`, hint }]
  })
}
