import type { BackhaulError, Message, Outcome, Settle } from '../../contract/index.ts'

/** Fails every message of a batch that a link cannot take now: at the next turn, since `publish()` settles nothing before it returns. */
export function failAll(batch: readonly Message[], settle: Settle, error: BackhaulError): void {
  const failed: Outcome = { kind: 'failed', error }
  setImmediate(() => {
    for (const index of batch.keys()) settle(index, failed)
  })
}
