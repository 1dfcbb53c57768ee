import { BackhaulError } from '../contract/index.ts'

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Reads a length of time such as `250ms`, `5s`, `1.5m`, `2h` or `7d` and gives milliseconds. A bare number is milliseconds.
 *
 * @throws BackhaulError `INVALID_OPTIONS` for anything else.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim())
  const milliseconds = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? 'ms'] ?? Number.NaN)
  if (!Number.isSafeInteger(Math.round(milliseconds))) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot read "${text}" as a length of time: write a number and a unit, for example 500ms, 5s, 2m or 1h`,
    )
  }
  return Math.round(milliseconds)
}
