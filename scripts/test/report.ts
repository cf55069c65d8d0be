import { relative } from 'node:path'
import type { TestsStream } from 'node:test'

/** What a run of the tests came to. */
export interface Outcome {
  readonly passed: number
  readonly failed: number
  /** Why tests were skipped, and how many for each reason. */
  readonly skips: ReadonlyMap<string, number>
}

interface Finished {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly line?: number
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: { readonly type?: string; readonly duration_ms: number; readonly error?: Error }
}

interface FileTally {
  tests: number
  isFailed: boolean
}

/**
 * Prints one line for each test file, every failure in full and node's own closing lines ("ℹ tests 12" and so on), and counts
 * skips by their reason.
 */
export async function report(stream: TestsStream, root: string, print: (line: string) => void): Promise<Outcome> {
  const files = new Map<string, FileTally>()
  const skips = new Map<string, number>()
  const failures: string[] = []
  const output = new Map<string, string[]>()
  let passed = 0

  const tally = (file: string) => files.get(file) ?? files.set(file, { tests: 0, isFailed: false }).get(file)!
  const finish = (test: Finished, isPass: boolean) => {
    const file = relative(root, test.file ?? '')
    const isSuite = test.details.type === 'suite'
    const counts = tally(file)
    if (!isSuite) counts.tests++
    if (test.skip !== undefined && test.skip !== false) {
      const reason = typeof test.skip === 'string' && test.skip !== '' ? test.skip : 'no reason given'
      skips.set(reason, (skips.get(reason) ?? 0) + 1)
    } else if (isPass) passed += isSuite ? 0 : 1
    else if (test.todo === undefined) {
      counts.isFailed = true
      if (!isRepeated(test)) failures.push(`✖ ${file}:${test.line ?? 1}  ${test.name}\n${indent(explain(test.details.error))}`)
    }
  }

  stream.on('test:pass', (test) => finish(test, true))
  stream.on('test:fail', (test) => finish(test, false))
  for (const name of ['test:stdout', 'test:stderr'] as const) {
    stream.on(name, ({ file, message }) => {
      const lines = output.get(relative(root, file)) ?? []
      if (lines.push(message) > 200) lines.shift()
      output.set(relative(root, file), lines)
    })
  }
  const closing: string[] = []
  stream.on('test:diagnostic', ({ message, nesting, file }) => {
    if (nesting === 0 && file === undefined) closing.push(`ℹ ${message}`)
  })
  stream.on('test:summary', ({ file, duration_ms }) => {
    if (file === undefined) return
    const { tests, isFailed } = tally(relative(root, file))
    print(`${isFailed ? '✖' : '✔'} ${relative(root, file)}  ${tests} tests, ${(duration_ms / 1000).toFixed(1)} s`)
  })
  for await (const _ of stream);

  for (const failure of failures) print(`\n${failure}`)
  for (const [file, { isFailed }] of files) {
    const lines = output.get(file)
    if (isFailed && lines !== undefined) print(`\noutput of ${file}:\n${indent(lines.join(''))}`)
  }
  print('')
  for (const line of closing) print(line)
  return { passed, failed: failures.length, skips }
}

/** Node reports a suite or file again because something in it failed; the cause has been told. */
function isRepeated(test: Finished): boolean {
  const failureType = (test.details.error as { failureType?: string } | undefined)?.failureType
  return failureType === 'subtestsFailed'
}

function explain(error: Error | undefined): string {
  const cause = error?.cause
  if (cause instanceof Error) return cause.stack ?? cause.message
  return String(cause ?? error?.message ?? 'failed')
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '    ')
}
