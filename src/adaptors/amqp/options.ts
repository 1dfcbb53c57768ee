import { z } from 'zod'

import type { Address } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { durationOption, flagOption, integerOption, readOptions } from '../../kit/options.ts'

/** The schemes of AMQP with their default ports. */
export const AMQP_SCHEMES = {
  amqp: { port: 5672, secure: false },
  amqps: { port: 5671, secure: true },
} as const satisfies Record<string, { port: number; secure: boolean }>

/** One of {@link AMQP_SCHEMES}. */
export type AmqpScheme = keyof typeof AMQP_SCHEMES

/** How a user proves itself. */
const MECHANISMS = ['auto', 'PLAIN', 'EXTERNAL'] as const
/** Kinds of exchanges, by how they choose the queues of a message. */
const EXCHANGE_TYPES = ['topic', 'direct'] as const
/** Kinds of queues. */
const QUEUE_TYPES = ['quorum', 'classic'] as const

/** A name of AMQP: at most 255 bytes. */
const nameOption = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= 255, 'must not be longer than 255 bytes')
const timeout = (defaultMs: number) => durationOption(1, 3_600_000).default(defaultMs)

/** AMQP's own options, for the address's query and the `options` block. */
export const amqpOptionsSchema = z.strictObject({
  virtualHost: nameOption
    .optional()
    .describe('Virtual host. Default: the path of the address without its slash, else "/"'),
  mechanism: z
    .enum(MECHANISMS)
    .default('auto')
    .describe(
      'How a user proves itself: PLAIN (user and password), EXTERNAL (the client certificate), auto: EXTERNAL where there is a certificate and no user',
    ),
  clientName: nameOption.default('backhaul').describe('Name of the connection, which the broker shows'),
  exchange: nameOption.default('amq.topic').describe('Exchange that is published to and subscribed at'),
  exchangeType: z
    .enum(EXCHANGE_TYPES)
    .default('topic')
    .describe('topic: subscriptions may be patterns; direct: they may not'),
  declareExchange: flagOption
    .default(false)
    .describe('true: the exchange is made where it is missing; false: it is only checked that it is there'),
  durable: flagOption
    .default(true)
    .describe('Exchange and queues that we make live over a restart of the broker'),
  queueType: z.enum(QUEUE_TYPES).default('quorum').describe('Kind of the queue of a group'),
  declareQueues: flagOption
    .default(true)
    .describe(
      'true: the queue of a group is made and bound to its topic; false: it is only checked that it is there',
    ),
  queueName: nameOption
    .default('{group}.{topic}')
    .describe('Name of the queue of a group, with {group} and {topic} in it'),
  queuePrefix: z
    .string()
    .max(200)
    .default('backhaul.')
    .describe('How the names of queues without a group begin; the rest is random'),
  persistent: flagOption.default(true).describe('Messages live over a restart of the broker'),
  mandatory: flagOption
    .default(true)
    .describe(
      'true: a message that no queue takes is refused, and tried again later; false: it counts as delivered',
    ),
  contentType: nameOption
    .default('text/plain')
    .describe('Content type of messages that have no header "content-type"'),
  maxMessageBytes: integerOption(1, 134_217_728)
    .default(16_777_216)
    .describe("The largest payload that is sent; the broker's own limit may be lower"),
  maxInFlight: integerOption(1, 65_535)
    .default(1000)
    .describe('How many messages may be on their way unconfirmed'),
  frameMaxBytes: integerOption(4096, 16_777_216)
    .default(131_072)
    .describe('The largest frame that we agree to'),
  heartbeatSeconds: integerOption(0, 65_535)
    .default(10)
    .describe(
      'The longest silence on the link; a hung broker is noticed within two and a half of it. 0: never',
    ),
  connectTimeoutMs: timeout(10_000).describe('How long one dial may take, all hosts together'),
  publishTimeoutMs: timeout(30_000).describe(
    'How long the broker may take to confirm a message; then the link ends and the message is sent again',
  ),
})

/** The checked form of {@link amqpOptionsSchema}, with what the address says. */
export interface AmqpOptions extends Omit<z.output<typeof amqpOptionsSchema>, 'virtualHost'> {
  /** The scheme of the address. */
  readonly scheme: AmqpScheme
  /** The brokers, tried in order. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** The virtual host. */
  readonly virtualHost: string
}

/**
 * Puts an address and its options together.
 *
 * @throws BackhaulError `INVALID_ADDRESS` or `INVALID_OPTIONS`
 */
export function readAmqpOptions(address: Address, config: Readonly<Record<string, unknown>>): AmqpOptions {
  const scheme = schemeOf(address)
  const subject = `the AMQP options of ${address.display}`
  const twice = Object.keys(address.query).find((name) => Object.hasOwn(config, name))
  if (twice !== undefined) {
    throw invalid(
      `Cannot use ${subject}: "${twice}" is given in the address and in the options, give it once`,
    )
  }
  const read = readOptions(amqpOptionsSchema, { ...address.query, ...config }, subject)
  const { path } = address
  if (read.virtualHost !== undefined && path.length > 1) {
    throw invalid(
      `Cannot use ${subject}: the virtual host is given in the address and as "virtualHost", give it once`,
    )
  }
  if (read.declareQueues && read.queueType === 'quorum' && !read.durable) {
    throw invalid(
      `Cannot use ${subject}: quorum queues are always durable, set queueType: classic, or leave out "durable"`,
    )
  }
  const { port } = AMQP_SCHEMES[scheme]
  return {
    ...read,
    scheme,
    hosts: address.hosts.map((one) => ({ host: one.host, port: one.port ?? port })),
    virtualHost: read.virtualHost ?? (path.length > 1 ? path.slice(1) : '/'),
  }
}

/** Text that is equal for equal options. */
export function amqpSignature(options: AmqpOptions): string {
  return `amqp ${JSON.stringify(Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
}

function schemeOf(address: Address): AmqpScheme {
  const scheme = Object.keys(AMQP_SCHEMES).find((known): known is AmqpScheme => known === address.scheme)
  if (scheme === undefined || address.hosts.length === 0) {
    throw new BackhaulError(
      'INVALID_ADDRESS',
      `Cannot use the address "${address.display}" for AMQP: write it as amqps://host:5671/virtualhost or amqp://host:5672/virtualhost`,
    )
  }
  return scheme
}

function invalid(text: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', text)
}
