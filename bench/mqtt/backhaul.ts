import { connect } from '../../src/client/index.ts'
import type { Row, Side } from './side.ts'
import { IN_FLIGHT } from './side.ts'

/** Backhaul through its public API: each `send()` is awaited by the one of 500 senders that made it. */
export async function openBackhaul(url: string, version: Row['version']): Promise<Side> {
  const client = await connect(url, { options: { version } })
  return {
    async publish(topic, payload, messages) {
      let left = messages
      const sender = async (): Promise<void> => {
        while (left > 0) {
          left -= 1
          await client.send({ topic, payload })
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
    },
    async subscribe(topic, received) {
      await client.subscribe(topic, received)
    },
    close: () => client.close(),
  }
}
