import { crc32 } from 'node:zlib'

/*
 * Which partition a message goes to. The same key always leads to the same partition, also beside other clients:
 * `consistent_random` is what librdkafka does unless told otherwise (CRC-32; C, Python, Go, .NET, kcat), and
 * `murmur2_random` is what the Java client does.
 *
 * What has no key (or, for consistent_random, an empty one) goes to one partition that is chosen by chance for each
 * connection, and stays there: so the order of a topic's messages without a key holds, and a fleet spreads.
 */

/** The ways to find a partition, by their names in librdkafka. */
export const PARTITIONERS = [
  'consistent_random',
  'consistent',
  'murmur2_random',
  'murmur2',
  'fnv1a_random',
  'fnv1a',
] as const
/** One of {@link PARTITIONERS}. */
export type Partitioner = (typeof PARTITIONERS)[number]

const NONE = Buffer.alloc(0)

/**
 * The partition of a message.
 *
 * @param key - its key, or `undefined` for none
 * @param count - how many partitions the topic has
 * @param chance - a number from 0 to below 1, the same for all messages of a connection
 */
export function partitionOf(
  partitioner: Partitioner,
  key: Buffer | undefined,
  count: number,
  chance: number,
): number {
  if (count <= 1) return 0
  const bytes = key ?? NONE
  const isAnywhere = partitioner === 'consistent_random' ? bytes.length === 0 : key === undefined
  if (isAnywhere && partitioner.endsWith('_random')) return Math.floor(chance * count)
  return hash(partitioner, bytes) % count
}

function hash(partitioner: Partitioner, bytes: Buffer): number {
  if (partitioner.startsWith('consistent')) return crc32(bytes)
  return partitioner.startsWith('murmur2') ? murmur2(bytes) & 0x7fff_ffff : fnv1a(bytes)
}

/** MurmurHash2 of 32 bits with Kafka's seed, as in `org.apache.kafka.common.utils.Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1_e995
  const { length } = bytes
  let h = (0x9747_b28c ^ length) | 0
  const blocks = length >> 2
  for (let block = 0; block < blocks; block += 1) {
    const at = block * 4
    let k =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const tail = blocks * 4
  const rest = length & 3
  if (rest === 3) h ^= (bytes[tail + 2] ?? 0) << 16
  if (rest >= 2) h ^= (bytes[tail + 1] ?? 0) << 8
  if (rest >= 1) h = Math.imul(h ^ (bytes[tail] ?? 0), m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** FNV-1a of 32 bits without its sign, as in librdkafka's `rd_fnv1a` and Sarama. */
export function fnv1a(bytes: Uint8Array): number {
  let h = 0x811c_9dc5 | 0
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x0100_0193)
  return Math.abs(h)
}
