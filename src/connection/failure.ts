import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/** Why there is no link, and whether that is a refusal, which only a change of settings mends. */
export interface Failure {
  /** The reason. */
  readonly error: BackhaulError
  /** True where trying again at once cannot help. */
  readonly refused: boolean
}

/** What a dial or the end of a link tells of an outage or of a broker's bad moment: it passes by itself. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNREACHABLE',
  'NAME_NOT_FOUND',
  'TIMEOUT',
  'LINK_LOST',
  'REFUSED',
  'PROTOCOL_ERROR',
  'TOKEN_FAILED',
  'CLOSED',
  'ABORTED',
  'INTERNAL',
])

/** What a refused subscription may say and be granted all the same a moment later. */
const PASSING_FOR_TOPICS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNREACHABLE',
  'TIMEOUT',
  'LINK_LOST',
  'PROTOCOL_ERROR',
  'CLOSED',
  'ABORTED',
])

/** Weighs why a dial failed or a link ended. An error that is not ours is an outage: an adaptor's fault may pass. */
export function linkFailure(reason: unknown): Failure {
  if (reason instanceof BackhaulError) return { error: reason, refused: !PASSING.has(reason.code) }
  const text = 'Cannot connect: the adaptor failed in an unforeseen way, see the cause'
  return { error: new BackhaulError('INTERNAL', text, reason), refused: false }
}

/** Weighs why there are no credentials. An error that is not ours is a refusal: it is a check of the source's own. */
export function credentialsFailure(reason: unknown): Failure {
  if (reason instanceof BackhaulError) return linkFailure(reason)
  const text = 'Cannot connect: the credentials cannot be had, see the cause'
  return { error: new BackhaulError('INTERNAL', text, reason), refused: true }
}

/** Weighs why topics were not granted, or why their stream failed. */
export function topicsFailure(reason: unknown): Failure {
  if (!(reason instanceof BackhaulError)) {
    const text = 'Cannot subscribe: the adaptor failed in an unforeseen way, see the cause'
    return { error: new BackhaulError('INTERNAL', text, reason), refused: false }
  }
  return { error: reason, refused: !PASSING_FOR_TOPICS.has(reason.code) }
}
