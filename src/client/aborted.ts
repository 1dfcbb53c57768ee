import { BackhaulError } from '../contract/index.ts'

/** The error of a caller that gave up. */
export function aborted(reason: unknown): BackhaulError {
  return new BackhaulError('ABORTED', 'Cannot go on: the caller gave up', reason)
}
