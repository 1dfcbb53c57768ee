import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

import { z } from 'zod'

import type { Address } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { durationOption, integerOption, readOptions } from '../../kit/options.ts'

/** The schemes of Redis with their default port. */
export const REDIS_SCHEMES = {
  redis: { port: 6379, secure: false },
  rediss: { port: 6379, secure: true },
} as const satisfies Record<string, { port: number; secure: boolean }>

/** One of {@link REDIS_SCHEMES}. */
export type RedisScheme = keyof typeof REDIS_SCHEMES

const field = (name: string) => z.string().max(255).default(name)
const word = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\u0021-\u007e]+$/, 'must be of printable ASCII without blanks')

/** Redis's own options, for the address's query and the `options` block. */
export const redisOptionsSchema = z.strictObject({
  maxStreamLength: integerOption(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe(
      'About how many entries a stream keeps: the oldest are trimmed when one is added, read or not. Default: all',
    ),
  payloadField: z
    .string()
    .min(1)
    .max(255)
    .default('metadata')
    .describe('Field of an entry that holds the payload'),
  idField: field('id').describe('Field for the id of the message; empty: it is not sent'),
  keyField: field('key').describe('Field for the key of the message; empty: it is not sent'),
  headersField: field('headers').describe('Field for the headers, as JSON; empty: they are not sent'),
  maxMessageBytes: integerOption(1000, 536_870_912)
    .default(67_108_864)
    .describe("The largest payload; the broker's own limit (proto-max-bulk-len) may be lower"),
  clientName: word.default('backhaul').describe('Name that CLIENT LIST shows for our connections'),
  consumer: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'Name of this member within its groups: it finds its unfinished entries again at once after a crash. Default: a new one',
    ),
  start: z
    .enum(['latest', 'earliest'])
    .default('latest')
    .describe('Where a group begins that is new to a stream'),
  claimIdleMs: durationOption(100, 86_400_000)
    .default(30_000)
    .describe('How long a member of a group may be silent before others take over what it had in work'),
  readBlockMs: durationOption(10, 3_600_000)
    .default(5000)
    .describe('How long a read waits at the broker for entries before it is asked again'),
  connectTimeoutMs: durationOption(1, 3_600_000)
    .default(10_000)
    .describe('How long one dial may take, all hosts together'),
  commandTimeoutMs: durationOption(1, 3_600_000)
    .default(30_000)
    .describe(
      'How long the broker may take to answer a command; then the link ends, and what was published is sent again',
    ),
  keepAliveMs: durationOption(10, 3_600_000)
    .default(30_000)
    .describe('The longest silence on a connection; a hung broker is noticed within one and a half of it'),
})

/** The checked form of {@link redisOptionsSchema}, with what the address says. */
export interface RedisOptions extends z.output<typeof redisOptionsSchema> {
  /** The scheme of the address. */
  readonly scheme: RedisScheme
  /** The brokers, to be tried in order: the first that is a primary is taken. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** The number of the database. */
  readonly database: number
  /** What the consumer is called where no name is given; no part of the signature. */
  readonly uniqueConsumer: string
}

/**
 * Puts an address and its options together.
 *
 * @param random - gives text that no other process has, for the name of the consumer
 * @throws BackhaulError `INVALID_ADDRESS` or `INVALID_OPTIONS`
 */
export function readRedisOptions(
  address: Address,
  config: Readonly<Record<string, unknown>>,
  random: () => string = () => randomBytes(6).toString('hex'),
): RedisOptions {
  const scheme = schemeOf(address)
  const subject = `the Redis options of ${address.display}`
  const twice = Object.keys(address.query).find((name) => Object.hasOwn(config, name))
  if (twice !== undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use ${subject}: "${twice}" is given in the address and in the options, give it once`,
    )
  }
  const read = readOptions(redisOptionsSchema, { ...address.query, ...config }, subject)
  checkFields(read, subject)
  const { port } = REDIS_SCHEMES[scheme]
  return {
    ...read,
    scheme,
    hosts: address.hosts.map((one) => ({ host: one.host, port: one.port ?? port })),
    database: databaseOf(address),
    uniqueConsumer: `backhaul-${hostname()}-${random()}`,
  }
}

/** Text that is equal for equal options. */
export function redisSignature(options: RedisOptions): string {
  const { uniqueConsumer: _own, ...normal } = options
  return `redis ${JSON.stringify(Object.entries(normal).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
}

function checkFields(read: z.output<typeof redisOptionsSchema>, subject: string): void {
  const names = [read.payloadField, read.idField, read.keyField, read.headersField].filter(Boolean)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new BackhaulError(
    'INVALID_OPTIONS',
    `Cannot use ${subject}: two of payloadField, idField, keyField and headersField are "${twice}", give each its own`,
  )
}

function schemeOf(address: Address): RedisScheme {
  const scheme = Object.keys(REDIS_SCHEMES).find((known): known is RedisScheme => known === address.scheme)
  if (scheme === undefined || address.hosts.length === 0) throw badAddress(address)
  return scheme
}

function databaseOf(address: Address): number {
  const number = /^\/?(\d{0,6})$/.exec(address.path)?.[1]
  if (number === undefined) throw badAddress(address)
  return Number(number)
}

function badAddress({ display }: Address): BackhaulError {
  return new BackhaulError(
    'INVALID_ADDRESS',
    `Cannot use the address "${display}" for Redis: write it as rediss://host:6379 or redis://host:6379, with the number of a database as path where it is not 0, such as rediss://host/2`,
  )
}
