/** The start of the year in which this code was written: a running copy's clock cannot rightly be before it. */
const EARLIEST_MS = Date.UTC(2026, 0, 1)

/**
 * Whether the wall clock can be believed. Devices without a battery start in 1970 (or at the time of their image)
 * until NTP has set them; until then nothing may expire by the clock.
 *
 * @param nowMs - milliseconds since 1970
 */
export function isPlausibleTime(nowMs: number): boolean {
  return nowMs >= EARLIEST_MS
}
