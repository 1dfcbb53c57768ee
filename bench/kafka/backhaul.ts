import { connect } from '../../src/client/index.ts'
import type { Place, Side } from './side.ts'
import { HEADER, IN_FLIGHT, KEYS } from './side.ts'

/** Backhaul through its public API: each `send()` is awaited by the one of 1,000 senders that made it. */
export async function openBackhaul(
  { address, tls }: Place,
  options: Readonly<Record<string, unknown>>,
): Promise<Side> {
  const client = await connect(`${tls === undefined ? 'kafka' : 'kafkas'}://${address}`, {
    options: { start: 'earliest', ...options },
    ...(tls !== undefined && { tls }),
  })
  const headers = { [HEADER[0]]: HEADER[1] }
  return {
    async produce(topic, payloads, latencies) {
      let next = 0
      const sender = async (): Promise<void> => {
        while (next < latencies.length) {
          const index = next
          next += 1
          const startedAt = performance.now()
          const payload = payloads[index % payloads.length] ?? ''
          const key = KEYS[index % KEYS.length]
          await client.send({ topic, payload, key, headers })
          latencies[index] = performance.now() - startedAt
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
    },
    async consume(topic, group) {
      let leave: () => Promise<void> = () => Promise.resolve()
      return {
        async start(received) {
          const subscription = await client.subscribe(topic, ({ payload }) => received(payload), {
            group,
            maxInWork: IN_FLIGHT,
          })
          leave = () => subscription.unsubscribe()
        },
        stop: () => leave(),
      }
    },
    close: () => client.close(),
  }
}
