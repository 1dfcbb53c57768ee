import type { Capabilities, Message, Outcome, Settle } from '../../src/contract/index.ts'
import { BackhaulError, DELIVERED } from '../../src/contract/index.ts'

/** What the scripted link can do, unless a test says otherwise. */
export const CAPABILITIES: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: false,
  patterns: false,
  groups: false,
  durableSubscriptions: false,
  redelivers: false,
  parallelLinks: true,
  maxPayloadBytes: 1000,
  maxBatchBytes: 10_000,
  maxInFlight: 100,
}

export const FAILED: Outcome = {
  kind: 'failed',
  error: new BackhaulError('TIMEOUT', 'Cannot publish: the broker did not answer, wait'),
}
export const REFUSED_MESSAGE: Outcome = refused('message')
export const REFUSED_TOPIC: Outcome = refused('topic')
export const REFUSED_LINK: Outcome = refused('link')

function refused(scope: 'message' | 'topic' | 'link'): Outcome {
  const error = new BackhaulError('REFUSED', `Cannot publish: the broker refused the ${scope}`, undefined, {
    scope,
  })
  return { kind: 'refused', scope, error }
}

interface Open {
  readonly message: Message
  readonly settle: (outcome: Outcome) => void
}

/** Stands for the link: keeps what was handed over until the test says what became of it. */
export class ScriptedLink {
  /** Every batch, as the ids of its messages. */
  readonly batches: string[][] = []
  /** What has not settled, oldest first. */
  readonly open: Open[] = []
  /** The signal of the latest batch. */
  signal: AbortSignal | undefined

  readonly publish = (batch: readonly Message[], settle: Settle, signal: AbortSignal): void => {
    this.batches.push(batch.map(({ id }) => id))
    this.signal = signal
    for (const [index, message] of batch.entries()) {
      this.open.push({ message, settle: (outcome) => settle(index, outcome) })
    }
  }

  /** Ids of what has not settled. */
  get inFlight(): string[] {
    return this.open.map(({ message }) => message.id)
  }

  /** Settles the message with this id. */
  settle(id: string, outcome: Outcome = DELIVERED): void {
    const index = this.open.findIndex(({ message }) => message.id === id)
    const [open] = this.open.splice(index, 1)
    if (open === undefined) throw new Error(`${id} is not in flight`)
    open.settle(outcome)
  }

  /** Settles everything in flight. */
  settleAll(outcome: Outcome = DELIVERED): void {
    for (const id of this.inFlight) this.settle(id, outcome)
  }
}

/** A message with the id as its text. `topic/key` may follow the id, as in `a@t/k`. */
export function message(name: string, bytes = 10): Message {
  const [id = '', place = 't'] = name.split('@')
  const [topic = '', key] = place.split('/')
  return { id, topic, key, payload: new Uint8Array(bytes), headers: undefined }
}

/** Lets microtasks and one turn of the event loop pass, in which the pump hands out what became possible. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve))
  })
}
