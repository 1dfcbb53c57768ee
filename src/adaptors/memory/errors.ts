import type { RefusalScope } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'

/** What a link ends with when the broker went away or cut it. */
export function linkLost(address: string, why: string): BackhaulError {
  return new BackhaulError('LINK_LOST', `Cannot go on with "${address}": ${why}, dial again`)
}

/** What a link ends with when the broker does not answer. */
export function silent(address: string, ms: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot go on with "${address}": it did not answer for ${ms} ms, dial again`,
  )
}

/** What a link ends with after `close()`. */
export function closed(address: string): BackhaulError {
  return new BackhaulError('CLOSED', `Cannot use the link to "${address}": it was closed, dial a new one`)
}

/** What a wait ends with that its caller gave up. */
export function aborted(what: string, signal: AbortSignal): BackhaulError {
  return new BackhaulError('ABORTED', `Cannot ${what}: the caller gave up, call again`, signal.reason)
}

/** What the rule of a test refuses a message, a topic or a link with. */
export function refusedBy(scope: RefusalScope, topic: string): BackhaulError {
  const code = scope === 'topic' ? 'NOT_AUTHORIZED' : 'REFUSED'
  return new BackhaulError(
    code,
    `Cannot use the topic "${topic}": the broker was told to refuse the ${scope}, lift its rule`,
    undefined,
    { scope, brokerReason: 'refused by rule' },
  )
}

/** What a message fails with for now. */
export function notNow(topic: string, why: string): BackhaulError {
  return new BackhaulError('REFUSED', `Cannot publish to "${topic}": ${why}, send it again`)
}
