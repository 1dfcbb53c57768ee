import type { KafkaOptions } from '../../../src/adaptors/kafka/index.ts'
import { kafka } from '../../../src/adaptors/kafka/index.ts'
import type { Faults, Harness } from '../../../src/contract/conformance/index.ts'
import type { DialRequest } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { KafkaBroker, KafkaListener } from '../../brokers/index.ts'
import { freePorts } from '../../brokers/index.ts'
import type { PairFiles } from '../../pki.ts'
import type { KafkaDriver } from './support.ts'
import { requestFor, tlsFrom } from './support.ts'

/** User and password of the harness's clients on the listeners that want them. */
export const USER = { user: 'edge', password: 'hunter2-kafka' } as const

/** How a harness reaches the broker. */
export interface Way {
  /** Over which listener. */
  readonly listener: KafkaListener
  /** Who speaks Kafka. @default javascript */
  readonly driver?: KafkaDriver
  /** How the user proves itself. */
  readonly sasl?: string
  /** Further options. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** Silence that is noticed soon enough to wait for it. */
const QUICK = {
  keepAliveMs: 400,
  requestTimeoutMs: 1500,
  publishTimeoutMs: 1800,
  topicTimeoutMs: 1000,
  heartbeatIntervalMs: 150,
  commitIntervalMs: 20,
  metadataRefreshMs: 1000,
  fetchWaitMs: 50,
  sessionTimeoutMs: 2000,
} as const

/** What a driver needs more time for: librdkafka looks again for who its producer is only every half second. */
const PATIENCE: Readonly<Record<KafkaDriver, Readonly<Record<string, number>>>> = {
  javascript: {},
  librdkafka: { publishTimeoutMs: 3500 },
}

/** A Kafka as the conformance suite wants it. The broker is started when the first test runs. */
export function kafkaHarness(broker: () => KafkaBroker, way: Way): Harness<KafkaOptions> {
  const { listener, driver = 'javascript' } = way
  const isSasl = listener === 'saslTls' || listener === 'saslPlain'
  const isTls = listener !== 'plain' && listener !== 'saslPlain'
  let serial = 0
  const unique = (label: string) => `t.${listener}.${label}-${Date.now().toString(36)}-${(serial += 1)}`

  async function client(
    password: string = USER.password,
    pair?: PairFiles,
  ): Promise<DialRequest<KafkaOptions>> {
    const { pki } = broker()
    const own = listener === 'mutual' ? (pair ?? (await pki.client(USER.user))) : undefined
    return requestFor(broker().url(listener), {
      options: {
        ...QUICK,
        ...PATIENCE[driver],
        driver,
        ...(way.sasl !== undefined && { sasl: way.sasl }),
        ...way.options,
      },
      tls: isTls ? tlsFrom(pki.ca, own) : undefined,
      auth: isSasl ? { user: USER.user, password } : undefined,
    })
  }

  async function topic(label: string): Promise<string> {
    const name = unique(label)
    await broker().admin.createTopic(name, { partitions: label === 'order' || label === 'load' ? 3 : 1 })
    return name
  }

  return {
    adaptor: kafka,
    promises: {
      acknowledgedSurvivesKill: true,
      acknowledgedSurvivesRestart: true,
      durableBy: 'group',
      largePayloadBytes: 900_000,
      refusedPayloadBytes: 1_000_001,
      keepAliveMs: QUICK.keepAliveMs,
      freezeNoticedMs: 4000,
    },
    deadlines: { waitMs: 20_000 },
    client: () => client(),
    ...(isSasl && { stranger: () => client('wrong') }),
    ...(listener === 'mutual' && {
      stranger: async () => client('', await broker().pki.foreign('client')),
    }),
    async unreachable() {
      const [port = 0] = await freePorts(1)
      const request = await client()
      return { ...request, options: { ...request.options, hosts: [{ host: '127.0.0.1', port }] } }
    },
    topic,
    group: unique,
    async pattern() {
      const root = unique('pattern')
      const matching = [`${root}.a.events`, `${root}.b.events`]
      const other = [`${root}.a.other`, `x${root}.a.events`]
      for (const name of [...matching, ...other]) await broker().admin.createTopic(name)
      return { pattern: `^${root.replaceAll('.', '\\.')}\\..*\\.events$`, matching, other }
    },
    badTopics: ['', 'a/b', '..', 'ü', 'x'.repeat(250)],
    ...(listener !== 'plain' && { forbidden: { publish: 'forbidden', subscribe: 'forbidden' } }),
    configurations: [
      { address: parseAddress('kafka://a'), config: {} },
      { address: parseAddress('kafkas://a:9092'), config: {} },
      { address: parseAddress('kafka://a,b:9093'), config: {} },
      { address: parseAddress('kafka://a?clientId=me'), config: {} },
      { address: parseAddress('kafka://a'), config: { acks: '1' } },
      { address: parseAddress('kafka://a'), config: { driver: 'librdkafka' } },
    ],
    secrets: [USER.password],
    faults: faultsOf(broker, listener),
    openSockets: () => broker().proxy(listener).connections,
  }
}

/** What happens to the line is the proxy's doing; the broker itself is killed and started. */
function faultsOf(broker: () => KafkaBroker, listener: KafkaListener): Faults {
  const proxy = () => broker().proxy(listener)
  return {
    cut: () => proxy().cut(),
    reset: () => proxy().reset(),
    delay: (ms) => proxy().delay(ms),
    freeze: (on) => proxy().freeze(on),
    kill: () => broker().kill(),
    restart: () => broker().restart(),
  }
}

/** Gives the clients of the harnesses their rights. */
export async function allowClients({ admin }: KafkaBroker): Promise<void> {
  await admin.createTopic('forbidden')
  const all = [
    'read topic t.*',
    'write topic t.*',
    'read group t.*',
    'read topic xt.*',
    'write topic xt.*',
  ] as const
  await admin.allow(USER.user, ...all)
}
