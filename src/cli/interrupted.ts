import { BackhaulError } from '../contract/index.ts'

/** The error of work that a signal ended before it was done. */
export function interrupted(): BackhaulError {
  return new BackhaulError('ABORTED', 'Cannot go on: interrupted by a signal, run it again')
}
