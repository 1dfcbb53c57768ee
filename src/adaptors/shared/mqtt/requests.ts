import type { Clock, Timer } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import { PROTOCOL_VIOLATION, ProtocolViolation } from './protocol-error.ts'

/** The broker's answer to SUBSCRIBE or UNSUBSCRIBE: a code for each filter, and its text. */
export interface Granted {
  /** One reason code a filter. */
  readonly codes: readonly number[]
  /** The broker's own text, if any. */
  readonly text: string | undefined
}

interface Request {
  readonly kind: 'suback' | 'unsuback'
  readonly answer: Deferred<Granted>
  readonly timer: Timer
}

const MAX_PACKET_ID = 65_535

/**
 * SUBSCRIBE and UNSUBSCRIBE that wait for their answers. Their packet ids lie above the window of publishes, so that the
 * two never meet.
 */
export class Requests {
  readonly #firstId: number
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #onTimeout: () => void
  readonly #open = new Map<number, Request>()
  #nextId: number

  /** @param onTimeout - called when an answer does not come within `timeoutMs` */
  constructor(options: { firstId: number; timeoutMs: number; clock: Clock; onTimeout: () => void }) {
    this.#firstId = options.firstId
    this.#nextId = options.firstId
    this.#timeoutMs = options.timeoutMs
    this.#clock = options.clock
    this.#onTimeout = options.onTimeout
  }

  /**
   * Opens a request: its packet id, and the answer.
   *
   * @throws BackhaulError `REFUSED` when all packet ids are in use
   */
  open(kind: Request['kind']): { readonly packetId: number; readonly answer: Promise<Granted> } {
    const packetId = this.#freeId()
    const answer = deferred<Granted>()
    // whoever made the request may have left when the link ends
    answer.promise.catch(() => undefined)
    this.#open.set(packetId, {
      kind,
      answer,
      timer: this.#clock.after(this.#timeoutMs, this.#onTimeout),
    })
    return { packetId, answer: answer.promise }
  }

  /** The broker's SUBACK or UNSUBACK. */
  answer(kind: Request['kind'], packetId: number, granted: Granted): void {
    const request = this.#open.get(packetId)
    if (request?.kind !== kind) {
      throw new ProtocolViolation(
        `a ${kind} for packet ${packetId}, which nobody asked for`,
        PROTOCOL_VIOLATION,
      )
    }
    this.#open.delete(packetId)
    request.timer.cancel()
    request.answer.resolve(granted)
  }

  /** The link has ended: every request fails. */
  end(error: BackhaulError): void {
    for (const { answer, timer } of this.#open.values()) {
      timer.cancel()
      answer.reject(error)
    }
    this.#open.clear()
  }

  #freeId(): number {
    for (let tries = this.#firstId; tries <= MAX_PACKET_ID; tries += 1) {
      const packetId = this.#nextId
      this.#nextId = packetId >= MAX_PACKET_ID ? this.#firstId : packetId + 1
      if (!this.#open.has(packetId)) return packetId
    }
    throw new BackhaulError(
      'REFUSED',
      'Cannot subscribe: too many requests wait for the broker, try again later',
    )
  }
}
