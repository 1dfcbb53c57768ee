import type { ConnectOptions } from '../../src/client/index.ts'
import { startKafka, startMosquitto, without, withoutKafka } from '../brokers/index.ts'
import { makeTopic, readTopic } from './kafka-site.ts'
import { Inbox } from './mosquitto-site.ts'
import type { Arrival } from './site.ts'

const EDGE = { user: 'edge', password: 'edge-password' } as const

/** A real broker that grants and takes the right to publish to each of some topics. */
export interface RightsSite extends AsyncDisposable {
  /** Where the sender connects to. */
  readonly url: string
  /** What it connects with. */
  readonly options: ConnectOptions
  /** Lets the sender publish to these of the topics, and to no others. */
  allow(topics: readonly string[]): Promise<void>
  /** See `OutageSite.arrivals()`. */
  arrivals(topic: string, count: number): Promise<readonly Arrival[]>
}

/** An adaptor with a broker that refuses topics: one row of the table. */
export interface RightsRow {
  /** For titles. */
  readonly name: string
  /** Why it cannot run here, or false. */
  readonly skip: () => string | false
  /** Starts the broker with these topics, all allowed. */
  readonly start: (topics: readonly string[]) => Promise<RightsSite>
}

/** Every adaptor and driver with a broker that tells what it refuses. */
export const RIGHTS_ROWS: readonly RightsRow[] = [
  { name: 'mqtt', skip: () => without('mosquitto'), start: startMosquittoRights },
  { name: 'kafka', skip: () => withoutKafka('kcat'), start: (topics) => startKafkaRights(topics, {}) },
]

/** Mosquitto: the file of its rights is read again. */
async function startMosquittoRights(topics: readonly string[]): Promise<RightsSite> {
  const rights = (allowed: readonly string[]) => ({
    edge: allowed.map((topic) => `write ${topic}` as const),
    oracle: ['read #'] as const,
  })
  const broker = await startMosquitto({
    users: { [EDGE.user]: EDGE.password, oracle: 'oracle-password' },
    acl: rights(topics),
    // with 0, for no limit, it ends the connection of whoever publishes what it refuses (2.0.11)
    settings: { max_inflight_messages: 1000, max_queued_messages: 1_000_000 },
  })
  const inboxes = new Map<string, Inbox>()
  const auth = { username: 'oracle', password: 'oracle-password' }
  for (const topic of topics) inboxes.set(topic, await Inbox.open(broker.port('plain'), topic, auth))
  return {
    url: broker.url('plain'),
    options: { auth: EDGE, options: { version: '5' } },
    allow: (allowed) => broker.setRights(rights(allowed)),
    arrivals: async (topic, count) => (await inboxes.get(topic)?.arrivals(count)) ?? [],
    async [Symbol.asyncDispose]() {
      for (const inbox of inboxes.values()) await inbox.close()
      await broker.stop()
    },
  }
}

/** Kafka: its administrator changes access rules. */
async function startKafkaRights(
  topics: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<RightsSite> {
  const broker = await startKafka({ users: { [EDGE.user]: EDGE.password } })
  const { admin } = broker
  for (const topic of topics) await makeTopic(broker, topic)
  const rights = (names: readonly string[]) => names.map((topic) => `write topic ${topic}` as const)
  let allowed = topics
  await admin.allow(EDGE.user, ...rights(topics))
  return {
    url: broker.url('saslPlain'),
    options: { auth: EDGE, options },
    async allow(wanted) {
      const taken = allowed.filter((topic) => !wanted.includes(topic))
      const granted = wanted.filter((topic) => !allowed.includes(topic))
      if (taken.length > 0) await admin.revoke(EDGE.user, ...rights(taken))
      if (granted.length > 0) await admin.allow(EDGE.user, ...rights(granted))
      allowed = wanted
    },
    arrivals: (topic) => readTopic(broker, topic),
    [Symbol.asyncDispose]: () => broker.stop(),
  }
}
