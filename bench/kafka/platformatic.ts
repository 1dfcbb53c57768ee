import { readFile } from 'node:fs/promises'

import type { MessageToProduce } from '@platformatic/kafka'
import { Consumer, Producer } from '@platformatic/kafka'

import type { Place, Side } from './side.ts'
import { HEADER, ID, KEYS, produceAll } from './side.ts'

/** A batch leaves when it has so many bytes, ... */
const BATCH_BYTES = 500_000
/** ... or its first message has waited so long, in milliseconds. */
const BATCH_MS = 2
const MAX_REQUESTS = 5

type Done = (index: number, error?: unknown) => void

/**
 * The bare driver at its best: its `send()` makes a request of each call, so messages are gathered before it. Not idempotent: then it
 * would have one request at a time.
 */
export async function openPlatformatic(place: Place): Promise<Side> {
  const common = { clientId: 'bench', bootstrapBrokers: [place.address], ...(await tlsOf(place)) }
  const producer = new Producer({ ...common, retries: 0 })
  const keys = KEYS.map((key) => Buffer.from(key))
  const headers = new Map([ID, HEADER].map(([name, value]) => [Buffer.from(name), Buffer.from(value)]))
  return {
    produce(topic, payloads, latencies) {
      const batcher = new Batcher(producer)
      return produceAll(latencies, (index, done) => {
        const value = payloads[index % payloads.length]
        const key = keys[index % keys.length]
        if (value !== undefined && key !== undefined) batcher.add({ topic, value, key, headers }, index, done)
      })
    },
    async consume(topic, group) {
      const consumer = new Consumer({ ...common, groupId: group })
      await consumer.metadata({ topics: [topic] })
      return {
        async start(received) {
          const stream = await consumer.consume({
            topics: [topic],
            mode: 'committed',
            fallbackMode: 'earliest',
            autocommit: 200,
            maxWaitTime: 500,
          })
          stream.on('data', ({ value }) => received(value))
        },
        stop: () => Promise.resolve(consumer.close(true)),
      }
    },
    close: () => Promise.resolve(producer.close(true)),
  }
}

/** Gathers messages: a request leaves when its batch is full or old, with a few on their way. */
class Batcher {
  readonly #producer: Producer
  readonly #messages: MessageToProduce[] = []
  readonly #waiting: { readonly index: number; readonly done: Done }[] = []
  #bytes = 0
  #requests = 0
  #timer: NodeJS.Timeout | undefined

  constructor(producer: Producer) {
    this.#producer = producer
  }

  add(message: MessageToProduce, index: number, done: Done): void {
    this.#messages.push(message)
    this.#waiting.push({ index, done })
    this.#bytes += message.value?.length ?? 0
    this.#look()
  }

  #look(): void {
    if (this.#requests >= MAX_REQUESTS || this.#messages.length === 0) return
    if (this.#bytes >= BATCH_BYTES) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#requests < MAX_REQUESTS && this.#messages.length > 0) this.#send()
  }

  #send(): void {
    let count = 0
    let bytes = 0
    while (count < this.#messages.length && bytes < BATCH_BYTES) {
      bytes += this.#messages[count]?.value?.length ?? 0
      count += 1
    }
    const messages = this.#messages.splice(0, count)
    const waiting = this.#waiting.splice(0, count)
    this.#bytes -= bytes
    this.#requests += 1
    this.#producer.send({ messages, acks: -1 }, (error) => {
      this.#requests -= 1
      for (const { index, done } of waiting) done(index, error)
      this.#look()
    })
  }
}

async function tlsOf({ tls }: Place) {
  if (tls === undefined) return {}
  const [ca, cert, key] = await Promise.all([readFile(tls.ca), readFile(tls.cert), readFile(tls.key)])
  return { tls: { ca, cert, key } }
}
