import type { BackhaulError, Deliveries } from '../../../contract/index.ts'
import { leftError } from '../../shared/readers.ts'
import type { RedisConnection } from '../session/connection.ts'
import type { RawEntry } from './entries.ts'
import { readEntries, readStreams, storedOf } from './entries.ts'
import { Outlet } from './outlet.ts'
import type { Reader, ReaderContext } from './reader.ts'
import { askFor, askOn, LEAVE_MS, ReadLoop } from './reader.ts'

/**
 * A subscription without a group: it gets all entries of its streams from now on, by XREAD. Nothing is remembered at the broker.
 */
export class FreeReader implements Reader {
  readonly #context: ReaderContext
  readonly #outlet: Outlet
  readonly #loop: ReadLoop
  /** The last entry of each stream that was read. */
  readonly #positions = new Map<string, string>()
  readonly #streams: readonly string[]
  readonly #stop = new AbortController()
  #connection: RedisConnection | undefined

  constructor(context: ReaderContext, streams: readonly string[], maxInWork: number) {
    this.#context = context
    this.#streams = streams
    this.#loop = new ReadLoop(context)
    this.#outlet = new Outlet(maxInWork, context.clock, {
      room: () => this.#loop.wake(),
      finished: () => undefined,
      left: () => context.left(this),
    })
  }

  /** See {@link Reader.deliveries}. */
  get deliveries(): Deliveries {
    return this.#outlet.deliveries
  }

  /** See {@link LinkReader.start}. */
  async start(): Promise<void> {
    const connection = await this.#context.open(this.#stop.signal)
    this.#connection = connection
    for (const stream of this.#streams) {
      const last = readEntries(
        await askFor(connection, stream, ['XREVRANGE', stream, '+', '-', 'COUNT', '1']),
      )
      // where it is empty, everything that it will hold is new
      this.#positions.set(stream, last[0]?.id ?? '0-0')
    }
    for (const stream of this.#streams) {
      // shows that reading is allowed, too
      const words = ['XREAD', 'COUNT', '1', 'STREAMS', stream, this.#positions.get(stream) ?? '0-0']
      this.#take(await askFor(connection, stream, words))
    }
    this.#loop.run(
      () => this.#outlet.room,
      (room) => this.#read(connection, room),
    )
  }

  /** See {@link LinkReader.leave}. Nothing is to be written. */
  async leave(): Promise<void> {
    this.#loop.stop()
    this.#stop.abort()
    this.#outlet.end()
    await this.#connection?.leave(LEAVE_MS)
    this.end(leftError())
  }

  /** See {@link Reader.look}. */
  look(now: number): void {
    this.#connection?.look(now)
  }

  /** See {@link LinkReader.end}. */
  end(error: BackhaulError): void {
    this.#loop.stop()
    this.#stop.abort()
    this.#outlet.end()
    this.#connection?.close(error)
  }

  async #read(connection: RedisConnection, room: number): Promise<void> {
    const { readBlockMs } = this.#context.options
    const count = Math.max(1, Math.floor(room / this.#streams.length))
    const words = ['XREAD', 'COUNT', String(count), 'BLOCK', String(readBlockMs), 'STREAMS']
    const ids = this.#streams.map((stream) => this.#positions.get(stream) ?? '0-0')
    this.#take(await askOn(connection, [...words, ...this.#streams, ...ids], readBlockMs))
  }

  #take(answer: unknown): void {
    for (const [stream, entries] of readStreams(answer)) {
      for (const entry of entries) this.#push(stream, entry)
    }
  }

  #push(stream: string, { id, fields }: RawEntry): void {
    this.#positions.set(stream, id)
    if (fields === undefined) return
    this.#outlet.push({ stream, id, stored: storedOf(fields, this.#context.options), redelivered: false })
  }
}
