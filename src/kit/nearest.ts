/**
 * The known word nearest to a mistyped one, or `undefined` when none is near: at most a third of the letters differ
 * (a swap of neighbours counts as one), letters' case and `-`, `_`, `.` aside.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const plain = fold(word)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1
  for (const candidate of known) {
    const other = fold(candidate)
    // at least the letters that one has more than the other differ: a word of thousands of letters costs nothing
    if (Math.abs(plain.length - other.length) >= bestDistance) continue
    const distance = editDistance(plain, other)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `, did you mean "x"?`, or an empty string when nothing is near. */
export function suggestion(word: string, known: Iterable<string>): string {
  const found = nearest(word, known)
  return found === undefined ? '' : `, did you mean "${found}"?`
}

function fold(text: string): string {
  return text.toLowerCase().replaceAll(/[-_.]/g, '')
}

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let value = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        value = Math.min(value, (beforeLast[j - 2] ?? 0) + 1)
      }
      row.push(value)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
