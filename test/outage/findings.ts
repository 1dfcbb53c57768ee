import type { Sent } from './load.ts'
import type { Arrival } from './site.ts'

/** What a comparison of what was accepted with what arrived has found. */
export interface Findings {
  /** Messages that `send()` accepted. */
  readonly accepted: number
  /** Numbers of accepted messages that never arrived. */
  readonly lost: readonly number[]
  /** First arrivals that came before an earlier one of their key. */
  readonly outOfOrder: readonly string[]
  /** Messages that carried another id than their receipt. */
  readonly otherId: readonly string[]
  /** Arrivals of messages that had come before. */
  readonly repeats: number
}

/** Compares. The order of a key is that of its numbers. */
export function compare(sent: readonly Pick<Sent, 'n' | 'id'>[], arrivals: readonly Arrival[]): Findings {
  const idOf = new Map(sent.map(({ n, id }) => [n, id]))
  const seen = new Map<number, string>()
  const last = new Map<string, number>()
  const outOfOrder: string[] = []
  const otherId: string[] = []
  for (const { text, id } of arrivals) {
    const { n, key } = readPayload(text)
    const known = seen.get(n) ?? idOf.get(n)
    if (known !== undefined && known !== id) otherId.push(`${n} came as ${id}, and is ${known}`)
    if (!seen.has(n)) {
      const before = last.get(key) ?? -1
      if (n < before) outOfOrder.push(`${n} of ${key} came after ${before}`)
      last.set(key, n)
    }
    seen.set(n, id)
  }
  return {
    accepted: sent.length,
    lost: sent.flatMap(({ n }) => (seen.has(n) ? [] : [n])),
    outOfOrder,
    otherId,
    repeats: arrivals.length - seen.size,
  }
}

/** What the payload of a message says: its number, its key and when it was sent. */
export function readPayload(text: string): { n: number; key: string; atMs: number } {
  const [n = '', key = '', atMs = ''] = text.split(' ')
  return { n: Number(n), key, atMs: Number(atMs) }
}

/** The value below which a share of all lies; 0 for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
