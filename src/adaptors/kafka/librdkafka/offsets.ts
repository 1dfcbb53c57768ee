import type { Place } from '../consume/offsets.ts'
import { placeName } from '../consume/offsets.ts'
import type { NativeConsumer } from './binding.ts'
import { nativeRefusal } from './native-errors.ts'

/** The first offset of a partition and the one behind its last message. */
export interface Edges {
  /** The first. */
  readonly lowOffset: number
  /** Behind the last. */
  readonly highOffset: number
}

/** The offsets that a group has confirmed, by the names of partitions. */
export function committed(
  consumer: NativeConsumer,
  places: readonly Place[],
  timeoutMs: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  if (places.length === 0) return Promise.resolve(found)
  const asked = places.map(({ topic, index }) => ({ topic, partition: index }))
  return new Promise((resolve, reject) => {
    consumer.committed(asked, timeoutMs, (error, answers) => {
      if (error) {
        reject(nativeRefusal(error, 'ask where the group is', 'topic'))
        return
      }
      for (const { topic, partition, offset = -1 } of answers) {
        if (offset >= 0) found.set(placeName({ topic, index: partition }), offset)
      }
      resolve(found)
    })
  })
}

/** Where partitions begin and end, by their names. */
export async function edgesOf(
  consumer: NativeConsumer,
  places: readonly Place[],
  timeoutMs: number,
): Promise<Map<string, Edges>> {
  const asked = places.map(
    ({ topic, index }) =>
      new Promise<[string, Edges]>((resolve, reject) => {
        consumer.queryWatermarkOffsets(topic, index, timeoutMs, (error, edges) => {
          if (error) reject(nativeRefusal(error, `read "${topic}"`, 'topic'))
          else resolve([placeName({ topic, index }), edges])
        })
      }),
  )
  return new Map(await Promise.all(asked))
}
