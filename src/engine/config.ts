/** `workers`: threads that carry traffic; "auto" is one for each CPU that the process may use. */
export type WorkersPlan = 'auto' | number

/** `engine`: "auto" takes uring where the kernel allows it and portable elsewhere. */
export type EnginePlan = 'auto' | 'uring' | 'portable'
