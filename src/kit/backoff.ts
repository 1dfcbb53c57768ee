/**
 * Delays between tries in milliseconds, for ever: full jitter under a ceiling that doubles from `minMs` to `maxMs`.
 *
 * Full jitter (a delay anywhere between nothing and the ceiling) spreads a fleet that lost its broker at one moment.
 */
export function* backoff(
  minMs = 250,
  maxMs = 30_000,
  random: () => number = Math.random,
): Generator<number, never> {
  for (let ceiling = minMs; ; ceiling = Math.min(ceiling * 2, maxMs)) {
    yield Math.round(random() * Math.min(ceiling, maxMs))
  }
}
