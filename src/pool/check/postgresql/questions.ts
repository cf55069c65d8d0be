import type { PostgresqlProbePlan } from '../plan.ts'
import { queryQuestion } from '../sql/query.ts'
import type { SqlAnswer, SqlQuestion } from '../sql/question.ts'
import { judgeStanding, type ReplicationMemory, ROLE_UNKNOWN, type Standing } from '../sql/replication.ts'

const ROLE = 'SELECT pg_is_in_recovery()'
/**
 * Seconds behind: NULL where no receiver is connected to the primary, 0 where everything that was received is applied, else the age of the last transaction
 * that was. Any user may ask for it: without rights pg_stat_wal_receiver has a row with nothing but the process in it.
 */
const LAG = `SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN 0
 WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN NULL
 WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
 ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END`

/** What a plan wants to know, in this order: role and lag, the query. */
export function postgresqlQuestions(plan: PostgresqlProbePlan, memory: ReplicationMemory, now: () => number): SqlQuestion[] {
  const { role, maxLagMs, query, expect } = plan
  const questions: SqlQuestion[] = []
  if (role !== 'any' || maxLagMs !== undefined) {
    const judge = (answer: SqlAnswer) => {
      const standing = standingOf(answer)
      return standing === undefined ? ROLE_UNKNOWN : judgeStanding(plan, standing, memory, now())
    }
    questions.push({ statement: maxLagMs === undefined ? ROLE : LAG, maxRows: 1, judge })
  }
  if (query !== undefined) questions.push(queryQuestion(query, expect))
  return questions
}

function standingOf({ rows }: SqlAnswer): Standing | undefined {
  const [[isStandby, lag] = []] = rows
  if (isStandby !== 't' && isStandby !== 'f') return undefined
  const seconds = lag === null || lag === undefined ? Number.NaN : Number(lag)
  return { isPrimary: isStandby === 'f', lagMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null }
}
