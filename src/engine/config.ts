import { z } from 'zod'

/** `workers`: threads that carry traffic; "auto" is one for each CPU that the process may use. */
export type WorkersPlan = 'auto' | number

/** `engine`: "auto" takes uring where the kernel allows it and portable elsewhere. */
export type EnginePlan = 'auto' | 'uring' | 'portable'

export const workers = z.union([z.literal('auto'), z.int().min(1).max(64)])

export const engine = z.enum(['auto', 'uring', 'portable'])
