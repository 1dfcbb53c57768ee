import { BackhaulError } from '../../contract/index.ts'

/** What a link ends with after `close()`. */
export function closed(address: string): BackhaulError {
  return new BackhaulError('CLOSED', `Cannot use the link to ${address}: it was closed, dial a new one`)
}

/** What is asked of a link that has ended. */
export function linkLost(address: string, reason?: BackhaulError): BackhaulError {
  return new BackhaulError(
    'LINK_LOST',
    `Cannot use the link to ${address}: it has ended, dial a new one`,
    reason,
  )
}

/** What a wait ends with that its caller gave up. */
export function aborted(what: string, signal: AbortSignal): BackhaulError {
  return new BackhaulError('ABORTED', `Cannot ${what}: the caller gave up, call again`, signal.reason)
}

/** A peer that did not answer in time. */
export function late(address: string, what: string, ms: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot go on with ${address}: it did not ${what} within ${ms} ms, check the network and the load of the broker`,
  )
}
