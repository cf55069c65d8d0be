import type { Verdict } from '../protocol.ts'

/** What a statement gave: text, null for NULL. */
export interface SqlAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/** A statement that a check asks, and what it makes of the answer. */
export interface SqlQuestion {
  readonly statement: string
  /** Rows that it needs to see; what comes behind them is not read. */
  readonly maxRows: number
  judge(answer: SqlAnswer): Verdict
}

/** Asks one after the other: the first that fails, or the last, decides. */
export class Interview {
  readonly #questions: readonly SqlQuestion[]
  #at = 0
  #columns: string[] = []
  #rows: (string | null)[][] = []

  constructor(questions: readonly SqlQuestion[]) {
    this.#questions = questions
  }

  get isEmpty(): boolean {
    return this.#questions.length === 0
  }

  get statement(): string {
    return this.#questions[this.#at].statement
  }

  column(name: string): void {
    this.#columns.push(name)
  }

  /** True where no more rows are needed, and nothing is asked behind this. */
  row(values: (string | null)[]): boolean {
    const { maxRows } = this.#questions[this.#at]
    if (this.#rows.length < maxRows) this.#rows.push(values)
    return this.#rows.length === maxRows && this.#at === this.#questions.length - 1
  }

  /** The answer is complete. The verdict, or null where the next statement is to be asked. */
  answered(): Verdict | null {
    const verdict = this.#questions[this.#at].judge({ columns: this.#columns, rows: this.#rows })
    if (!verdict.ok || this.#at === this.#questions.length - 1) return verdict
    this.#at++
    this.#columns = []
    this.#rows = []
    return null
  }
}
