import { z } from 'zod'

import type { Adaptor } from '../contract/index.ts'
import { durationOption, flagOption, integerOption } from '../kit/options.ts'
import { authInputSchema, tlsOptionsSchema } from '../kit/security-options.ts'

/** The `outbox` block: what `send()` accepts while the broker is away, and what happens at the limit. */
export const outboxOptionsSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of a durable outbox, for it alone; it is made. Absent: messages are held in memory'),
  durable: flagOption
    .optional()
    .describe(
      'Hold messages on disk. Default: in `connect()` when there is a `path`; in the file of the agent always, without `path` in its state folder',
    ),
  fsync: z
    .enum(['always', 'interval', 'never'])
    .default('always')
    .describe(
      'What a power cut may take of what was accepted. `always`: nothing. `interval`: what came since the last `fsyncInterval`. ' +
        '`never`: what the system had not written yet. A crash of the process takes nothing in any of them',
    ),
  fsyncInterval: durationOption(1, 60_000).default(100).describe('With `fsync: interval`: how often'),
  groupCommitMs: durationOption(0, 1000)
    .default(0)
    .describe('How long a message waits for others to be made safe with it; 10 to 20 ms spare an SD card'),
  keyFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Encrypts the files with AES-256-GCM: a file of keys, 64 hexadecimal digits a line. The first one encrypts, all decrypt',
    ),
  minFreeBytes: integerOption(0, 1024 ** 5)
    .default(64 * 1024 ** 2)
    .describe('On disk: how many bytes of the file system stay free; less counts as full'),
  maxMessages: integerOption(1, 1_000_000_000)
    .optional()
    .describe('How many messages it holds at most. Default: 100,000 in memory, 10,000,000 on disk'),
  maxBytes: integerOption(1024, 1024 ** 4)
    .optional()
    .describe('How many payload bytes it holds at most. Default: 64 MiB in memory, 1 GiB on disk'),
  maxParkedMessages: integerOption(1, 1_000_000_000)
    .optional()
    .describe('How many messages of refused topics it holds beside them. Default: half of `maxMessages`'),
  maxParkedBytes: integerOption(1024, 1024 ** 4)
    .optional()
    .describe('How many payload bytes of refused topics it holds beside them. Default: half of `maxBytes`'),
  maxAge: durationOption(1000, 10 * 365 * 86_400_000)
    .optional()
    .describe('Messages that are older are dropped, and counted. Default: none'),
  policy: z
    .enum(['block', 'dropOldest', 'dropNewest'])
    .default('block')
    .describe(
      'At the limit: wait for space (not for that of a topic that the broker refuses), drop the oldest message, or refuse the new one. Each drop is counted',
    ),
  parkRefused: flagOption
    .default(true)
    .describe('Keep messages of a topic that the broker refuses, and try them again every 30 s'),
})

/** What the limits are where nothing is said. */
export const OUTBOX_DEFAULTS = {
  memory: { maxMessages: 100_000, maxBytes: 64 * 1024 ** 2 },
  disk: { maxMessages: 10_000_000, maxBytes: 1024 ** 3 },
} as const

/** The checked form of {@link outboxOptionsSchema}. */
export type OutboxOptions = z.output<typeof outboxOptionsSchema>

/** Everything that a connection can be told beside its address: the object form of `connect()` and of the file. */
export const connectionOptionsSchema = z.strictObject({
  adaptor: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Custom adaptor, for a protocol of your own: path (with a "/") or package of an ES module that exports `adaptor`',
    ),
  tls: tlsOptionsSchema.optional().describe('TLS settings; naming any demands an address with TLS'),
  auth: authInputSchema.optional().describe('User and password, or a token'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("The protocol's own options; they may stand in the address's query too"),
  outbox: outboxOptionsSchema
    .optional()
    .describe(
      'Named: send() is done once the message is held here. Absent: once the broker has acknowledged it',
    ),
  keyPath: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Dotted path of a text in JSON payloads, for example `sensor.id`: the key of messages that are sent without one',
    ),
  lazy: flagOption.default(false).describe('connect() resolves at once, and dials in the background'),
  connectTimeoutMs: durationOption(1, 3_600_000)
    .default(10_000)
    .describe('How long connect() waits for the first link, unless lazy'),
  allowPlaintextCredentials: flagOption
    .default(false)
    .describe('true: a password may travel in plaintext beyond this machine. It shows in health'),
  share: flagOption
    .default(false)
    .describe('Use the connection of another connect() with the same address and options, if there is one'),
  maxRetries: integerOption(0, 1_000_000)
    .optional()
    .describe('After so many failed dials the status says limitReached. Dialling goes on all the same'),
})

/** What may be written for {@link connectionOptionsSchema}. */
export interface ConnectionOptionsInput extends Omit<
  z.input<typeof connectionOptionsSchema>,
  'adaptor' | 'outbox'
> {
  /** A custom adaptor, or the path or package of the ES module that exports it. */
  readonly adaptor?: Adaptor | string | undefined
  /** What is held while the broker is away: the folder of a durable outbox, or all its options. */
  readonly outbox?: string | z.input<typeof outboxOptionsSchema> | undefined
}
/** The checked form of {@link connectionOptionsSchema}. */
export type ConnectionOptions = z.output<typeof connectionOptionsSchema>
