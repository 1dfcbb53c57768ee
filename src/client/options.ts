import { z } from 'zod'

import { durationOption, flagOption, integerOption } from '../kit/options.ts'
import { authOptionsSchema, tlsOptionsSchema } from '../kit/security-options.ts'

/** The `outbox` block: what `send()` accepts while the broker is away, and what happens at the limit. */
export const outboxOptionsSchema = z.strictObject({
  maxMessages: integerOption(1, 100_000_000).default(100_000).describe('How many messages it holds at most'),
  maxBytes: integerOption(1024, 1024 ** 4)
    .default(64 * 1024 ** 2)
    .describe('How many payload bytes it holds at most'),
  policy: z
    .enum(['block', 'dropOldest', 'dropNewest'])
    .default('block')
    .describe(
      'At the limit: wait for space, drop the oldest message, or refuse the new one. Each drop is counted',
    ),
  parkRefused: flagOption
    .default(true)
    .describe('Keep messages of a topic that the broker refuses, and try them again every 30 s'),
})

/** Everything that a connection can be told beside its address: the object form of `connect()` and of the file. */
export const connectionOptionsSchema = z.strictObject({
  tls: tlsOptionsSchema.optional().describe('TLS settings; naming any demands an address with TLS'),
  auth: authOptionsSchema.optional().describe('User and password'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("The protocol's own options; they may stand in the address's query too"),
  outbox: outboxOptionsSchema
    .optional()
    .describe(
      'Named: send() is done once the message is held here. Absent: once the broker has acknowledged it',
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
export type ConnectionOptionsInput = z.input<typeof connectionOptionsSchema>
/** The checked form of {@link connectionOptionsSchema}. */
export type ConnectionOptions = z.output<typeof connectionOptionsSchema>
