export { ACCESS_LOG_VARIABLES } from './access-log/record.ts'

/** `accessLog`: one line for each exchange. */
export interface AccessLogPlan {
  readonly target: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdout' } | { readonly kind: 'stderr' }
  readonly format: AccessLogFormat
}

export type AccessLogFormat =
  | { readonly kind: 'json' }
  | { readonly kind: 'combined' }
  | { readonly kind: 'template'; readonly parts: readonly LogTemplatePart[] }

/** Literal text, or a variable of ACCESS_LOG_VARIABLES. */
export type LogTemplatePart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'variable'; readonly name: string }
