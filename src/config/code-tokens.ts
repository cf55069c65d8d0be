export interface Token {
  /** `open` and `close` are brackets, and the ends of text in backquotes that has ${…} inside. */
  readonly kind: 'word' | 'text' | 'other' | 'open' | 'close'
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Behind these a slash begins a regular expression; behind other words, text and closing brackets it divides. */
const BEFORE_EXPRESSION: ReadonlySet<string> = new Set(['return', 'typeof', 'case', 'in', 'of', 'void', 'await', 'yield', 'default'])
const SPACE = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*|\d[\w.]*/uy
const QUOTED = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y
/** From a backquote, or the brace behind an expression, to the next expression or the closing backquote. */
const TEMPLATE = /[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(`|\$\{)/y
const REGEX = /\/(?:[^/\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/\w*/y
const SIGN = /\.\.\.|=>|[\s\S]/y

/**
 * The words and signs of a file in TypeScript, without white space and comments; undefined where it is none. It knows enough of the
 * language to tell what is inside of brackets and text, and no grammar.
 */
export function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  const open: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = endOf(SPACE, text, at)
    if (end !== -1) {
      at = end
      continue
    }
    const token = tokenAt(text, at, tokens.at(-1), open.at(-1))
    if (token === undefined) return undefined
    if (token.kind === 'open') open.push(token.text.at(-1) === '{' && token.text.length > 1 ? '${' : token.text)
    else if (token.kind === 'close' && !isPair(open.pop(), token.text[0])) return undefined
    tokens.push(token)
    at = token.end
  }
  return open.length === 0 ? tokens : undefined
}

function tokenAt(text: string, at: number, before: Token | undefined, around: string | undefined): Token | undefined {
  const token = (kind: Token['kind'], end: number) => (end === -1 ? undefined : { kind, start: at, end, text: text.slice(at, end) })
  const first = text[at]
  if (first === '`' || (first === '}' && around === '${')) {
    const end = endOf(TEMPLATE, text, at)
    const goesOn = end !== -1 && text[end - 1] === '{'
    if (first === '`') return token(goesOn ? 'open' : 'text', end)
    return token(goesOn ? 'other' : 'close', end)
  }
  if (first === "'" || first === '"') return token('text', endOf(QUOTED, text, at))
  if (first === '/' && mayBeginExpression(before)) return token('text', endOf(REGEX, text, at))
  if ('([{'.includes(first)) return token('open', at + 1)
  if (')]}'.includes(first)) return token('close', at + 1)
  const word = token('word', endOf(WORD, text, at))
  return word ?? token('other', endOf(SIGN, text, at))
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : -1
}

function mayBeginExpression(before: Token | undefined): boolean {
  if (before === undefined || before.kind === 'open') return true
  return before.kind === 'other' || (before.kind === 'word' && BEFORE_EXPRESSION.has(before.text))
}

function isPair(opened: string | undefined, closing: string): boolean {
  return opened === '(' ? closing === ')' : opened === '[' ? closing === ']' : opened !== undefined && closing === '}'
}
