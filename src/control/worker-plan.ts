import type { Plan } from '../config/index.ts'
import type { SlotAssignment } from '../pool/index.ts'

/** What a worker is handed to put into force: the Plan, and where its servers are in the pool table. Plain data. */
export interface WorkerPlan {
  readonly plan: Plan
  readonly slots: SlotAssignment
}
