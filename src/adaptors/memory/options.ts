import { z } from 'zod'

/** The options of a `memory:` address. */
export const memoryOptionsSchema = z.strictObject({
  clientId: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe(
      'A lasting identity: its subscriptions keep their messages while it is away, and a second link of it ends the first',
    ),
})

/** The checked form of {@link memoryOptionsSchema}, with the name of the broker. */
export interface MemoryOptions {
  /** What stands behind `memory:`. */
  readonly broker: string
  /** A lasting identity, or `undefined` for a link without a memory. */
  readonly clientId: string | undefined
}
