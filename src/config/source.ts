/** Where something stands in a file. Lines and columns count from 1; columns and lengths in characters. */
export interface Span {
  readonly line: number
  readonly column: number
  readonly length: number
  /** The line of the file. */
  readonly source: string
}

/** The text of a file of the configuration, by lines. */
export class Source {
  readonly file: string
  readonly text: string
  readonly #starts: readonly number[]

  constructor(file: string, text: string) {
    this.file = file
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text
    const starts = [0]
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1)) starts.push(at + 1)
    this.#starts = starts
  }

  /** text[start, end), as far as it is on one line, without the white space at its end. */
  span(start: number, end: number): Span {
    const line = this.#lineOf(Math.min(start, this.text.length))
    const source = this.line(line)
    const column = Math.min(start - this.#starts[line - 1], source.length)
    const marked = source.slice(column, Math.max(column, end - this.#starts[line - 1])).trimEnd()
    return { line, column: column + 1, length: Math.max(1, marked.length), source }
  }

  /** A whole line, from its first character that is not white space. */
  lineSpan(line: number): Span {
    const source = this.line(line)
    const column = source.length - source.trimStart().length
    return { line, column: column + 1, length: Math.max(1, source.trim().length), source }
  }

  line(number: number): string {
    if (number < 1 || number > this.#starts.length) return ''
    return this.text.slice(this.#starts[number - 1], this.#starts[number] ?? this.text.length).replace(/\r?\n$/, '')
  }

  #lineOf(offset: number): number {
    let low = 0
    let high = this.#starts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle] <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}
