import type { Place, Side } from './side.ts'
import { HEADER, ID, KEYS, produceAll } from './side.ts'

/** What is used of `@confluentinc/kafka-javascript`: its raw classes over librdkafka. */
export interface Binding {
  readonly Producer: new (config: Config, topicConfig: Config) => RawProducer
  readonly KafkaConsumer: new (config: Config, topicConfig: Config) => RawConsumer
}

type Config = Readonly<Record<string, string | number | boolean>>
type Connected = (error: Error | null) => void

interface RawProducer {
  connect(options: object, done: Connected): void
  setPollInBackground(on: boolean): void
  on(event: 'delivery-report', told: (error: Error | null, report: { readonly opaque: Opaque }) => void): void
  produce(
    topic: string,
    partition: null,
    value: Buffer,
    key: string,
    timestamp: null,
    opaque: Opaque,
    headers: readonly Readonly<Record<string, string>>[],
  ): void
  disconnect(timeoutMs: number, done: () => void): void
}

interface RawConsumer {
  connect(options: object, done: Connected): void
  on(event: 'data', received: (message: { readonly value: Buffer }) => void): void
  once(event: 'rebalance', told: () => void): void
  subscribe(topics: readonly string[]): void
  consume(): void
  disconnect(done: () => void): void
}

interface Opaque {
  readonly index: number
  readonly done: (index: number, error?: unknown) => void
}

/** librdkafka through the binding's raw classes, with callbacks: that costs less than its promises. */
export async function openLibrdkafka(binding: Binding, place: Place): Promise<Side> {
  const common = { 'client.id': 'bench', 'bootstrap.servers': place.address, ...tlsOf(place) }
  const producer = new binding.Producer(
    { ...common, 'linger.ms': 5, 'queue.buffering.max.messages': 1_000_000, dr_cb: true },
    { acks: -1 },
  )
  await connected((done) => producer.connect({}, done))
  producer.setPollInBackground(true)
  producer.on('delivery-report', (error, { opaque }) => opaque.done(opaque.index, error))
  const headers = [ID, HEADER].map(([name, value]) => ({ [name]: value }))
  return {
    produce(topic, payloads, latencies) {
      return produceAll(latencies, (index, done) => {
        const value = payloads[index % payloads.length]
        const key = KEYS[index % KEYS.length]
        if (value === undefined || key === undefined) return
        producer.produce(topic, null, value, key, null, { index, done }, headers)
      })
    },
    async consume(topic, group) {
      const consumer = new binding.KafkaConsumer(
        {
          ...common,
          'group.id': group,
          'enable.auto.commit': true,
          'auto.commit.interval.ms': 200,
          rebalance_cb: true,
        },
        { 'auto.offset.reset': 'earliest' },
      )
      await connected((done) => consumer.connect({}, done))
      return {
        start(received) {
          const assigned = new Promise<void>((resolve) => consumer.once('rebalance', resolve))
          consumer.on('data', ({ value }) => received(value))
          consumer.subscribe([topic])
          consumer.consume()
          return assigned
        },
        stop: () => new Promise((resolve) => consumer.disconnect(resolve)),
      }
    },
    close: () => new Promise((resolve) => producer.disconnect(2000, resolve)),
  }
}

function connected(connect: (done: Connected) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    connect((error) => {
      if (error === null || error === undefined) resolve()
      else reject(error)
    })
  })
}

function tlsOf({ tls }: Place): Config {
  if (tls === undefined) return {}
  return {
    'security.protocol': 'ssl',
    'ssl.ca.location': tls.ca,
    'ssl.certificate.location': tls.cert,
    'ssl.key.location': tls.key,
  }
}
