import type { Decoder } from '@redis/client/dist/lib/RESP/decoder.js'

import { BackhaulError } from '../../../contract/index.ts'

/** The driver: its decoder of Redis's protocol, which reads answers from chunks that end anywhere. */
export interface Driver {
  /** The decoder. */
  readonly Decoder: typeof Decoder
}

/** Loads the driver on first use, so that nobody pays for what they do not use. */
export async function loadDriver(): Promise<Driver> {
  try {
    // the decoder alone: the whole client would load some 400 commands
    return await import('@redis/client/dist/lib/RESP/decoder.js')
  } catch (cause) {
    throw new BackhaulError(
      'DRIVER_MISSING',
      'Cannot speak Redis: the package "@redis/client" cannot be loaded, run npm install @redis/client@6.3',
      cause,
    )
  }
}
