import { z } from 'zod'

import type { Address, UnfoldedOptions } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { parseAddress } from '../../kit/address.ts'
import { durationOption, flagOption, integerOption, readOptions } from '../../kit/options.ts'
import type { Partitioner } from './produce/partitioner.ts'
import { PARTITIONERS } from './produce/partitioner.ts'
import type { NativeProperties } from '../../kit/kafka/proto-cfg.ts'
import { readProtoCfg, withoutSecurity } from '../../kit/kafka/proto-cfg.ts'
import type { SaslMechanism } from './session/sasl.ts'
import { SASL_MECHANISMS } from './session/sasl.ts'

/** The schemes of Kafka with their default ports. */
export const KAFKA_SCHEMES = {
  kafka: { port: 9092, secure: false },
  kafkas: { port: 9093, secure: true },
} as const satisfies Record<string, { port: number; secure: boolean }>

/** One of {@link KAFKA_SCHEMES}. */
export type KafkaScheme = keyof typeof KAFKA_SCHEMES

/** Who speaks Kafka. */
const DRIVERS = ['javascript', 'librdkafka'] as const
/** What "delivered" means: all replicas that are in sync have it, the leader has it, or it was sent. */
const ACKS = ['all', '1', '0'] as const
/** How record batches are compressed. */
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

const timeout = (defaultMs: number) => durationOption(1, 3_600_000).default(defaultMs)

/** Kafka's own options, for the address's query and the `options` block. */
export const kafkaOptionsSchema = z.strictObject({
  driver: z
    .enum(DRIVERS)
    .default('javascript')
    .describe('Who speaks Kafka: javascript, or librdkafka by the package @confluentinc/kafka-javascript'),
  clientId: z
    .string()
    .min(1)
    .max(255)
    .default('backhaul')
    .describe("Client id, which the broker's log and quotas know us by"),
  sasl: z.enum(SASL_MECHANISMS).default('PLAIN').describe('How a user proves itself, where one is given'),
  acks: z
    .union([z.enum(ACKS), z.literal(-1).transform(() => 'all' as const), z.literal([0, 1]).transform(asAcks)])
    .default('all')
    .describe('Who must have a message before it counts as delivered: all, 1 (the leader) or 0 (nobody)'),
  idempotence: flagOption
    .optional()
    .describe('The broker drops repeats of one link and keeps their order. Default: true with acks all'),
  compression: z.enum(COMPRESSIONS).default('none').describe('How batches of messages are compressed'),
  partitioner: z
    .enum(PARTITIONERS)
    .default('consistent_random')
    .describe('How a key finds its partition: as librdkafka (consistent_random) or as Java (murmur2_random)'),
  maxMessageBytes: integerOption(1000, 100_000_000)
    .default(1_000_000)
    .describe("The largest payload, and the size of batches; the broker's own limit may be lower"),
  maxInFlightRequests: integerOption(1, 5)
    .default(5)
    .describe('How many requests may be on their way to one broker'),
  createTopics: flagOption
    .default(true)
    .describe('Publishing may make a topic that is missing, where the broker allows it'),
  topicTimeoutMs: timeout(5000).describe('How long a missing topic is asked for before it counts as unknown'),
  connectTimeoutMs: timeout(10_000).describe('How long one dial may take, all brokers together'),
  requestTimeoutMs: timeout(30_000).describe('How long a broker may take to answer; then the link ends'),
  publishTimeoutMs: timeout(30_000).describe(
    'How long a message may be unacknowledged; then the link ends and the message is sent again',
  ),
  keepAliveMs: timeout(30_000).describe('The longest silence towards a broker'),
  start: z
    .enum(['latest', 'earliest'])
    .default('latest')
    .describe('Where a group begins that has read nothing yet'),
  isolation: z
    .enum(['read_committed', 'read_uncommitted'])
    .default('read_committed')
    .describe('Whether messages of transactions that were not committed are left out'),
  group: z
    .string()
    .min(1)
    .max(249)
    .optional()
    .describe('Group of the subscriptions that name none. Default: each of them gets all messages'),
  groupInstanceId: z
    .string()
    .min(1)
    .max(249)
    .optional()
    .describe('Name of this member within its groups: it keeps its partitions over a restart'),
  rebalance: z
    .enum(['cooperative', 'eager'])
    .default('cooperative')
    .describe(
      'How partitions change hands when a group changes. cooperative: only those that move pause, where all members know that; eager: all pause',
    ),
  sessionTimeoutMs: timeout(45_000).describe('How long a group waits for a silent member'),
  heartbeatIntervalMs: timeout(3000).describe('How often a member of a group shows that it lives'),
  rebalanceTimeoutMs: timeout(60_000).describe('How long members may take to meet when a group changes'),
  commitIntervalMs: timeout(200).describe('How often finished messages are confirmed at most'),
  metadataRefreshMs: timeout(60_000).describe('How often new topics and partitions are looked for'),
  fetchMaxBytes: integerOption(1000, 100_000_000)
    .default(1_048_576)
    .describe('How much is read from one partition at once, about'),
  'proto-cfg': z.string().optional().describe("Properties in librdkafka's names: name=value;name=value"),
  'producer-proto-cfg': z.string().optional().describe('The same, and wins over proto-cfg'),
  'consumer-proto-cfg': z.string().optional().describe('The same, and wins over both'),
  fetchWaitMs: timeout(500).describe(
    'How long a broker waits for messages before it says that there are none',
  ),
})

/** The checked form of {@link kafkaOptionsSchema}, with what the address says. */
export interface KafkaOptions extends Omit<
  z.output<typeof kafkaOptionsSchema>,
  'idempotence' | (typeof PROTO_CFG)[number]
> {
  /** The scheme of the address. */
  readonly scheme: KafkaScheme
  /** The brokers to begin with. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** How a user proves itself. */
  readonly sasl: SaslMechanism
  /** Whether the broker drops repeats. */
  readonly idempotence: boolean
  /** How a key finds its partition. */
  readonly partitioner: Partitioner
  /** Chooses the partition of what has no key; no part of the signature. */
  readonly chance: number
  /** Properties for librdkafka as they are, of its producer and of its consumers. */
  readonly properties: NativeProperties
  /** Sentences to be said once: properties without effect, and the like. No part of the signature. */
  readonly notes: readonly string[]
}

const PROTO_CFG = ['proto-cfg', 'producer-proto-cfg', 'consumer-proto-cfg'] as const

function asAcks(value: 0 | 1): '0' | '1' {
  return value === 0 ? '0' : '1'
}

/**
 * Puts an address and its options together.
 *
 * @throws BackhaulError `INVALID_ADDRESS` or `INVALID_OPTIONS`
 */
export function readKafkaOptions(
  address: Address,
  config: Readonly<Record<string, unknown>>,
  random: () => number = Math.random,
): KafkaOptions {
  const scheme = schemeOf(address)
  const subject = `the Kafka options of ${address.display}`
  const twice = Object.keys(address.query).find((name) => Object.hasOwn(config, name))
  if (twice !== undefined) {
    throw invalid(
      `Cannot use ${subject}: "${twice}" is given in the address and in the options, give it once`,
    )
  }
  const given: Readonly<Record<string, unknown>> = { ...address.query, ...config }
  const properties = readProperties(scheme, given, subject)
  const {
    'proto-cfg': _1,
    'producer-proto-cfg': _2,
    'consumer-proto-cfg': _3,
    ...read
  } = readOptions(kafkaOptionsSchema, { ...properties.options, ...given }, subject)
  if (read.idempotence === true && read.acks !== 'all') {
    throw invalid(
      `Cannot use ${subject}: "idempotence" needs acks: all, and "acks" is ${read.acks}, change one of them`,
    )
  }
  if (read.heartbeatIntervalMs >= read.sessionTimeoutMs) {
    throw invalid(
      `Cannot use ${subject}: "heartbeatIntervalMs" is not shorter than "sessionTimeoutMs", make it a third of it`,
    )
  }
  const { port } = KAFKA_SCHEMES[scheme]
  return {
    ...read,
    scheme,
    hosts: properties.hosts ?? address.hosts.map((one) => ({ host: one.host, port: one.port ?? port })),
    notes: properties.notes,
    properties: properties.properties,
    idempotence: read.idempotence ?? read.acks === 'all',
    chance: random(),
  }
}

/** Text that is equal for equal options. */
export function kafkaSignature(options: KafkaOptions): string {
  const { chance: _chance, notes: _notes, ...normal } = options
  return `kafka ${JSON.stringify(Object.entries(normal).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
}

/** The strings of properties. Security stands in the address, `tls` and `auth`: there it is checked, and kept secret. */
function readProperties(scheme: KafkaScheme, given: Readonly<Record<string, unknown>>, subject: string) {
  const found = readProtoCfg(protoCfgOf(given), driverOf(given))
  const moved = [
    ...Object.keys(found.tls).map((name) => `tls.${name}`),
    ...Object.keys(found.auth).map((name) => `auth.${name}`),
  ]
  if (moved.length > 0) {
    throw invalid(`Cannot use ${subject}: the properties set ${moved.join(', ')}, give that in its own place`)
  }
  checkSecure(scheme, found.secure, subject)
  const { hosts, group, notes, properties } = found
  const places =
    hosts === undefined ? undefined : parseAddress(`${scheme}://${hosts.replaceAll(/\s/g, '')}`).hosts
  const { port } = KAFKA_SCHEMES[scheme]
  return {
    options: { ...found.options, ...(group !== undefined && { group }) },
    notes,
    properties,
    hosts: places?.map((one) => ({ host: one.host, port: one.port ?? port })),
  }
}

/**
 * Takes what belongs in the `tls` and `auth` blocks out of the strings of properties. See `Adaptor.unfold`.
 *
 * @throws BackhaulError `INVALID_ADDRESS` or `INVALID_OPTIONS`
 */
export function unfoldKafkaOptions(
  address: Address,
  config: Readonly<Record<string, unknown>>,
): UnfoldedOptions {
  const strings = protoCfgOf(config)
  if (strings.length === 0) return { config, tls: {}, auth: {} }
  const found = readProtoCfg(strings, driverOf(config))
  checkSecure(schemeOf(address), found.secure, `the Kafka options of ${address.display}`)
  const { sasl } = found.options
  const rest = Object.fromEntries(strings.map(({ key, text }) => [key, withoutSecurity(text)]))
  return {
    config: { ...config, ...rest, ...(sasl !== undefined && !('sasl' in config) && { sasl }) },
    tls: found.tls,
    auth: found.auth,
  }
}

function protoCfgOf(given: Readonly<Record<string, unknown>>): { key: string; text: string }[] {
  return PROTO_CFG.flatMap((key) => {
    const text = given[key]
    return typeof text === 'string' ? [{ key, text }] : []
  })
}

function driverOf({ driver }: Readonly<Record<string, unknown>>): 'javascript' | 'librdkafka' {
  return driver === 'librdkafka' ? driver : 'javascript'
}

function checkSecure(scheme: KafkaScheme, secure: boolean | undefined, subject: string): void {
  if (secure === undefined || secure === KAFKA_SCHEMES[scheme].secure) return
  throw invalid(
    `Cannot use ${subject}: "security.protocol" and the address contradict each other, use ${secure ? 'kafkas' : 'kafka'}://`,
  )
}

function schemeOf(address: Address): KafkaScheme {
  const scheme = Object.keys(KAFKA_SCHEMES).find((known): known is KafkaScheme => known === address.scheme)
  if (scheme === undefined || address.hosts.length === 0 || !['', '/'].includes(address.path)) {
    throw new BackhaulError(
      'INVALID_ADDRESS',
      `Cannot use the address "${address.display}" for Kafka: write it as kafkas://host:9093 or kafka://host:9092, several hosts with commas, without a path`,
    )
  }
  return scheme
}

function invalid(text: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', text)
}
