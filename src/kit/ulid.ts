import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * Makes ULIDs (48 bits of milliseconds, 80 of randomness, Crockford's base 32) that always increase: within one
 * millisecond, and when the clock steps back, the random part counts up instead.
 *
 * @param now - milliseconds since 1970
 * @param after - an earlier id that the first one must follow, for example the last one before a restart
 */
export function ulids(now: () => number = Date.now, after?: string): () => string {
  const random = new Uint8Array(16)
  // five bits a place: 16 places of 5 bits are the 80 random bits
  let lastMs = -1
  let timePart = ''
  if (after !== undefined) {
    lastMs = 0
    for (let index = 0; index < 10; index += 1) lastMs = lastMs * 32 + ALPHABET.indexOf(after[index] ?? '0')
    timePart = after.slice(0, 10)
    for (let index = 0; index < 16; index += 1) random[index] = ALPHABET.indexOf(after[10 + index] ?? '0')
  }
  return () => {
    const ms = now()
    if (ms > lastMs) {
      lastMs = ms
      timePart = encodeTime(ms)
      randomFillSync(random)
      for (let index = 0; index < 16; index += 1) random[index] = (random[index] ?? 0) & 31
      // the highest bit stays clear, so that counting up within a millisecond has room
      random[0] = (random[0] ?? 0) & 15
    } else if (!increment(random)) {
      lastMs += 1
      timePart = encodeTime(lastMs)
    }
    let text = timePart
    for (let index = 0; index < 16; index += 1) text += ALPHABET[random[index] ?? 0] ?? ''
    return text
  }
}

function encodeTime(ms: number): string {
  let text = ''
  let rest = ms
  for (let index = 0; index < 10; index += 1) {
    text = (ALPHABET[rest % 32] ?? '') + text
    rest = Math.floor(rest / 32)
  }
  return text
}

/** Adds one; false when it ran over (then it is all zeros). */
function increment(places: Uint8Array): boolean {
  for (let index = places.length - 1; index >= 0; index -= 1) {
    const value = (places[index] ?? 0) + 1
    places[index] = value & 31
    if (value < 32) return true
  }
  return false
}
