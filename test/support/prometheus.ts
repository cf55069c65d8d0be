import assert from 'node:assert/strict'

export interface MetricFamily {
  readonly type: string
  readonly help: string
  readonly samples: { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y

/**
 * Reads the Prometheus text format strictly: HELP and TYPE once and before the samples of their family, samples of a family
 * together, no series twice, histograms cumulative with +Inf equal to the count. Fails the test on anything else.
 */
export function parseExposition(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>()
  assert.ok(text === '' || text.endsWith('\n'), 'the last line ends')
  const lines = text.split('\n').slice(0, -1)
  const seen = new Set<string>()
  let current = ''
  for (let i = 0; i < lines.length; i++) {
    const help = /^# HELP (\S+) (.*)$/.exec(lines[i])
    if (help !== null) {
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[i + 1])
      assert.equal(type?.[1], help[1], 'TYPE follows HELP')
      assert.ok(!families.has(help[1]), `${help[1]} is there once`)
      current = help[1]
      families.set(current, {
        type: (type as RegExpExecArray)[2],
        help: help[2].replaceAll('\\n', '\n').replaceAll('\\\\', '\\'),
        samples: [],
      })
      i++
      continue
    }
    const sample = SAMPLE.exec(lines[i])
    assert.ok(sample !== null, `a sample: ${lines[i]}`)
    const family = families.get(current) as MetricFamily
    const [, name, labelText = '', value] = sample
    const expected = family.type === 'histogram' ? [`${current}_bucket`, `${current}_sum`, `${current}_count`] : [current]
    assert.ok(expected.includes(name), `${name} belongs to ${current}`)
    const key = `${name}{${labelText}}`
    assert.ok(!seen.has(key), `${key} is there once`)
    seen.add(key)
    family.samples.push({ name, labels: parseLabels(labelText), value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) })
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex
    const label = LABEL.exec(text)
    assert.ok(label !== null, `labels at ${at}: ${text}`)
    labels[label[1]] = label[2].replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

function checkHistogram(name: string, family: MetricFamily): void {
  const groups = Map.groupBy(family.samples, ({ labels: { le: _, ...rest } }) => JSON.stringify(rest))
  for (const samples of groups.values()) {
    const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le'])))
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      'bounds ascend',
    )
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY)
    for (let i = 1; i < buckets.length; i++) assert.ok(buckets[i].value >= buckets[i - 1].value, 'buckets are cumulative')
    assert.equal(samples.filter((sample) => sample.name === `${name}_sum`).length, 1)
    assert.equal(samples.find((sample) => sample.name === `${name}_count`)?.value, buckets.at(-1)?.value, '+Inf is the count')
  }
}
