const MAX_LENGTH = 64

/** What is left of a word without case and separators. */
const squash = (word: string): string => word.toLowerCase().replace(/[-_ ]/g, '')

/** The one candidate that begins with the word, but for case and separators: "leastconn" is "least-connections". Else the nearest. */
export function meant(word: string, candidates: readonly string[]): string | undefined {
  const begun = candidates.filter((candidate) => squash(candidate).startsWith(squash(word)))
  return begun.length === 1 && squash(word).length >= 4 ? begun[0] : nearest(word, candidates)
}

/** The candidate that is most like the word, if one is like it enough: at most a third of the word differs. Case does not count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance >= least || distance >= Math.max(word.length, candidate.length)) continue
    least = distance
    best = candidate
  }
  return best
}

/**
 * Damerau-Levenshtein, optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
 * Infinite for words of more than 64 characters, so that the cost is bounded.
 */
export function editDistance(a: string, b: string): number {
  if (a.length > MAX_LENGTH || b.length > MAX_LENGTH) return Number.POSITIVE_INFINITY
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)])
  for (let j = 0; j <= b.length; j++) rows[0][j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let distance = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) distance = Math.min(distance, rows[i - 2][j - 2] + 1)
      rows[i][j] = distance
    }
  }
  return rows[a.length][b.length]
}
