import type { AccessLogFormat, LogTemplatePart } from '../config.ts'
import { ACCESS_LOG_VARIABLES, type AccessLogVariable } from './record.ts'

/** One step of writing a line: literal bytes, or the value of a variable. */
export interface LinePart {
  readonly text: Uint8Array
  /** Number of VARIABLE, or TEXT. */
  readonly variable: number
}

export const TEXT = -1

/** Variables by number, so that a line is written by a jump table. */
export const VARIABLE = Object.fromEntries(Object.keys(ACCESS_LOG_VARIABLES).map((name, number) => [name, number])) as Readonly<
  Record<AccessLogVariable, number>
>

const COMBINED = '{client} - - [{time}] "{method} {uri} HTTP/{version}" {status} {bytesOut} "{referer}" "{userAgent}"'
const NOTHING = new Uint8Array(0)

/** The parts of a line in that format. JSON names its variables as the templates do; values are quoted when they are written. */
export function compileFormat(format: AccessLogFormat): readonly LinePart[] {
  if (format.kind === 'combined') return splitTemplate(COMBINED).map(linePart)
  if (format.kind === 'template') return format.parts.map(linePart)
  const names = Object.keys(ACCESS_LOG_VARIABLES)
  const parts = names.flatMap((name, i): LogTemplatePart[] => [
    { kind: 'text', text: `${i === 0 ? '{' : ','}"${name}":` },
    { kind: 'variable', name },
  ])
  return [...parts, { kind: 'text' as const, text: '}' }].map(linePart)
}

/** Takes a template apart: "{name}" of a known name is a variable, all else is text. */
export function splitTemplate(template: string): readonly LogTemplatePart[] {
  return template
    .split(/(\{\w+\})/)
    .filter((piece) => piece !== '')
    .map((piece): LogTemplatePart => {
      const name = /^\{(\w+)\}$/.exec(piece)?.[1]
      return name !== undefined && name in ACCESS_LOG_VARIABLES ? { kind: 'variable', name } : { kind: 'text', text: piece }
    })
}

function linePart(part: LogTemplatePart): LinePart {
  if (part.kind === 'variable') return { text: NOTHING, variable: VARIABLE[part.name as AccessLogVariable] }
  return { text: new Uint8Array(Buffer.from(part.text)), variable: TEXT }
}
