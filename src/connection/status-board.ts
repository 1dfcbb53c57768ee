import { channel } from 'node:diagnostics_channel'

import type { Status } from '../contract/index.ts'
import { AsyncQueue } from '../kit/async-queue.ts'

/** What the diagnostics channel `backhaul:connection:status` carries. */
export interface ConnectionStatusEvent {
  /** The connection's name, as it was given to it. */
  readonly connection: string
  /** Where it stands now. */
  readonly status: Status
}

const statusChannel = channel('backhaul:connection:status')

/** How many unread changes a reader may be behind. */
const UNREAD_LIMIT = 64

/**
 * The one place that knows where a connection stands, and tells: listeners, readers, the diagnostics channel.
 *
 * Invariants: everyone sees the changes in the order they happened, also when a listener causes the next one;
 * nothing follows `closed`; a reader that is behind loses the oldest changes, never the newest.
 */
export class StatusBoard {
  readonly #connection: string
  readonly #listeners = new Set<(status: Status) => void>()
  readonly #readers = new Set<StatusReader>()
  readonly #untold: Status[] = []
  #telling = false
  #current: Status

  /** Begins with a status that nobody is told of. */
  constructor(connection: string, first: Status) {
    this.#connection = connection
    this.#current = first
  }

  /** Where the connection stands. */
  get current(): Status {
    return this.#current
  }

  /** Changes it and tells everyone. After `closed` it does nothing. */
  set(status: Status): void {
    if (this.#current.state === 'closed') return
    const known = status === this.#current
    this.#current = status
    if (statusChannel.hasSubscribers) {
      statusChannel.publish({ connection: this.#connection, status } satisfies ConnectionStatusEvent)
    }
    if (known) return
    for (const reader of this.#readers) reader.push(status)
    if (status.state === 'closed') this.#readers.clear()
    this.#untold.push(status)
    if (!this.#telling) this.#tell()
  }

  /** Calls `listener` with the current status, and with each later one, until the returned function is called. */
  listen(listener: (status: Status) => void): () => void {
    this.#listeners.add(listener)
    call(listener, this.#current)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** A reader that begins with the current status. */
  read(signal: AbortSignal | undefined): StatusReader {
    const reader = new StatusReader(this.#current, signal, (left) => this.#readers.delete(left))
    if (this.#current.state !== 'closed' && signal?.aborted !== true) this.#readers.add(reader)
    return reader
  }

  #tell(): void {
    this.#telling = true
    for (let status = this.#untold.shift(); status !== undefined; status = this.#untold.shift()) {
      for (const listener of this.#listeners) call(listener, status)
    }
    this.#telling = false
  }
}

/** Reads the changes of a {@link StatusBoard}. */
export class StatusReader implements AsyncIterableIterator<Status> {
  readonly #unread = new AsyncQueue<Status>()
  readonly #signal: AbortSignal | undefined
  readonly #left: (reader: StatusReader) => void
  readonly #onAbort = () => this.#leave()

  /** Use `StatusBoard.read()`. */
  constructor(first: Status, signal: AbortSignal | undefined, left: (reader: StatusReader) => void) {
    this.#signal = signal
    this.#left = left
    if (signal?.aborted === true) {
      this.#unread.end()
      return
    }
    this.push(first)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Takes a change in; `closed` is the last one. */
  push(status: Status): void {
    this.#unread.push(status)
    if (this.#unread.length > UNREAD_LIMIT) void this.#unread.next()
    if (status.state !== 'closed') return
    this.#unread.end()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  /** The next change; waits for it. */
  next(): Promise<IteratorResult<Status, undefined>> {
    return this.#unread.next()
  }

  /** Ends the reading. */
  return(): Promise<IteratorResult<Status, undefined>> {
    this.#leave()
    return Promise.resolve({ value: undefined, done: true })
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  #leave(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#left(this)
    this.#unread.drain()
    this.#unread.end()
  }
}

/** What a listener throws is nobody's business here: like Node's own channels, it surfaces on a tick of its own. */
function call(listener: (status: Status) => void, status: Status): void {
  try {
    listener(status)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
