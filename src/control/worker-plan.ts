import type { Plan } from '../config/index.ts'
import type { SlotAssignment } from '../pool/index.ts'
import type { ProxySeries, TlsFiles } from '../proxy/index.ts'

/** What a worker is handed to put into force: the Plan, and where its servers and series are in the shared tables. Plain data. */
export interface WorkerPlan {
  readonly plan: Plan
  readonly slots: SlotAssignment
  readonly series: ProxySeries
  /** Contents of certificates and keys. */
  readonly files: TlsFiles
}
