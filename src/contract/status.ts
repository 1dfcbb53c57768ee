import type { Capabilities, Peer } from './adaptor.ts'
import type { BackhaulError } from './errors.ts'

/** Where a connection stands. `at` fields are milliseconds since 1970 by the connection's clock. */
export type Status =
  /** A dial is under way; `attempt` counts from 1 since a link last lived for a while (one that ends at once is no success). */
  | { readonly state: 'connecting'; readonly attempt: number }
  /** The broker accepted the credentials. */
  | {
      readonly state: 'connected'
      readonly peer: Peer
      readonly capabilities: Capabilities
      readonly sinceMs: number
    }
  /** The link ended; a `waiting` or `refused` follows. */
  | { readonly state: 'lost'; readonly error: BackhaulError }
  /**
   * The next try is at `nextTryAtMs`; `attempt` is that of the dial before, 0 after a link that had lived for a while.
   * `limitReached` tells that `maxRetries` dials have failed; it goes on all the same.
   */
  | {
      readonly state: 'waiting'
      readonly error: BackhaulError
      readonly attempt: number
      readonly nextTryAtMs: number
      readonly limitReached: boolean
    }
  /** The broker, or a check of ours, refused the credentials or options; tried again slowly at `nextTryAtMs`. */
  | { readonly state: 'refused'; readonly error: BackhaulError; readonly nextTryAtMs: number }
  /** `close()` was called; nothing follows. */
  | { readonly state: 'closed' }
