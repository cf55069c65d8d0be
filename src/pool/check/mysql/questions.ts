import type { MysqlProbePlan } from '../plan.ts'
import { fail, type Verdict } from '../protocol.ts'
import { queryQuestion } from '../sql/query.ts'
import type { SqlAnswer, SqlQuestion } from '../sql/question.ts'
import { judgeRole, judgeStanding, type ReplicationMemory, ROLE_UNKNOWN } from '../sql/replication.ts'

/** MariaDB has one row for each source that it replicates from, MySQL one for each channel. */
const MAX_SOURCES = 16
const LAG = /^seconds_behind_(master|source)$/i

/** What a plan wants to know, in this order: role, lag, the query. */
export function mysqlQuestions(plan: MysqlProbePlan, memory: ReplicationMemory, now: () => number): SqlQuestion[] {
  const { role, maxLagMs, query, expect } = plan
  const questions: SqlQuestion[] = []
  if (role !== 'any' || maxLagMs !== undefined) {
    const standing = new MysqlStanding(plan, memory, now)
    questions.push({ statement: 'SELECT @@global.read_only', maxRows: 1, judge: (answer) => standing.judgeRole(answer) })
    // MySQL since 8.0.22, MariaDB since 10.5.1.
    if (maxLagMs !== undefined)
      questions.push({ statement: 'SHOW REPLICA STATUS', maxRows: MAX_SOURCES, judge: (answer) => standing.judgeLag(answer) })
  }
  if (query !== undefined) questions.push(queryQuestion(query, expect))
  return questions
}

/** What one run has heard so far. A primary is who may be written to. */
class MysqlStanding {
  readonly #plan: MysqlProbePlan
  readonly #memory: ReplicationMemory
  readonly #now: () => number
  #isPrimary = false

  constructor(plan: MysqlProbePlan, memory: ReplicationMemory, now: () => number) {
    this.#plan = plan
    this.#memory = memory
    this.#now = now
  }

  judgeRole({ rows }: SqlAnswer): Verdict {
    // A number, or since MariaDB 12 a word: OFF, ON, NO_LOCK.
    const [[value] = []] = rows
    if (value === undefined || value === null) return ROLE_UNKNOWN
    this.#isPrimary = value === '0' || value === 'OFF'
    return judgeRole(this.#plan.role, this.#isPrimary)
  }

  /** The source that is furthest behind counts. */
  judgeLag({ columns, rows }: SqlAnswer): Verdict {
    const at = columns.findIndex((name) => LAG.test(name))
    if (at === -1) return fail('the server does not tell how far behind it is')
    let lagMs: number | null = rows.length === 0 ? null : 0
    for (const row of rows) {
      const value = row[at]
      const own = value === null || !/^\d+$/.test(value) ? null : Number(value) * 1000
      lagMs = lagMs === null || own === null ? null : Math.max(lagMs, own)
    }
    return judgeStanding(this.#plan, { isPrimary: this.#isPrimary, lagMs }, this.#memory, this.#now())
  }
}
