import type { BackhaulError, Deliveries, Timer } from '../../../contract/index.ts'
import { leftError } from '../../shared/readers.ts'
import type { RedisConnection } from '../session/connection.ts'
import type { RawEntry } from './entries.ts'
import { answerList, answerText, readEntries, readStreams, storedOf } from './entries.ts'
import { Member } from './member.ts'
import type { Entry } from './outlet.ts'
import { Outlet } from './outlet.ts'
import type { Reader, ReaderContext } from './reader.ts'
import { askOn, LEAVE_MS, ReadLoop } from './reader.ts'

/*
 * A subscription as a member of a group. The broker lists for each member what it was given and has not acknowledged (its pending
 * entries). Every read of the loop is one of three:
 *
 *   pending   what the list holds from an earlier link, in order and before anything new
 *   sweep     now and then: what other members have had in work for `claimIdleMs` without a sign of life
 *   new       waits at the broker for new entries
 *
 * Entries in hand are shown to be alive three times in `claimIdleMs`, so that nobody claims them. Whoever leaves releases
 * what it has not finished: another member may claim it at once.
 *
 * An earlier link of the same member may have a read waiting at the broker that nobody hears of any more. What it is given is in the
 * list, and may be older than what our own read is given. So, in the first `readBlockMs`, whatever our own read brings is not handed out:
 * the list is read again, which holds both, in order.
 */

/** How many times in `claimIdleMs` entries in hand are shown to be alive. */
const SIGNS_OF_LIFE = 3

/** One stream of the subscription. */
interface Stream {
  readonly name: string
  /** Entries in hand by their id. */
  readonly open: Map<string, Entry>
  /** Ids of finished entries that the list may still hold: the broker is told on another connection. */
  readonly finished: Set<string>
  /** Of those, the ones that the broker has confirmed while the list was being read. */
  readonly confirmed: string[]
  /** Whether the list is being read. */
  listing: boolean
  /** New entries that are yet to be read from the list: they are no redeliveries. */
  readonly fresh: Set<string>
  /** From where the list is to be read; `undefined`: it was read. */
  pendingFrom: string | undefined
  /** From where the sweep goes on. */
  sweepFrom: string
  /** When the next sweep is due, on the monotonic clock. */
  sweepAtMs: number
}

/** What a group reader is made with. */
export interface GroupSubscription {
  /** Name of the group. */
  readonly group: string
  /** Name of this member. */
  readonly consumer: string
  /** The streams, each once. */
  readonly streams: readonly string[]
  /** How many deliveries may be in work at once. */
  readonly maxInWork: number
}

/** A subscription as a member of a group. */
export class GroupReader implements Reader {
  /** Its name in the group. */
  readonly consumer: string
  /** The group. */
  readonly group: string
  readonly #context: ReaderContext
  readonly #outlet: Outlet
  readonly #loop: ReadLoop
  readonly #member: Member
  readonly #streams: readonly Stream[]
  readonly #stop = new AbortController()
  #connection: RedisConnection | undefined
  #settledAtMs = 0
  #sign: Timer | undefined

  constructor(context: ReaderContext, { group, consumer, streams, maxInWork }: GroupSubscription) {
    const { options, clock, main } = context
    this.consumer = consumer
    this.group = group
    this.#context = context
    this.#loop = new ReadLoop(context)
    this.#member = new Member({
      main,
      group,
      consumer,
      start: options.start,
      claimIdleMs: options.claimIdleMs,
      lost: (error) => context.lost(error),
      told: (name, ids) => this.#told(name, ids),
    })
    this.#streams = streams.map((name) => ({
      name,
      open: new Map(),
      finished: new Set(),
      confirmed: [],
      listing: false,
      fresh: new Set(),
      pendingFrom: '0-0',
      sweepFrom: '0-0',
      sweepAtMs: 0,
    }))
    this.#outlet = new Outlet(maxInWork, clock, {
      room: () => this.#loop.wake(),
      finished: (entry) => this.#finished(entry),
      left: () => context.left(this),
    })
  }

  /** See {@link Reader.deliveries}. */
  get deliveries(): Deliveries {
    return this.#outlet.deliveries
  }

  /** The names of its streams. */
  get streams(): readonly string[] {
    return this.#streams.map(({ name }) => name)
  }

  /** See {@link LinkReader.start}. */
  async start(): Promise<void> {
    const { clock, options } = this.#context
    const connection = await this.#context.open(this.#stop.signal)
    this.#connection = connection
    for (const stream of this.#streams) {
      await this.#member.join(connection, stream.name)
      stream.sweepAtMs = clock.monotonic() + options.claimIdleMs / 2
    }
    this.#settledAtMs = clock.monotonic() + options.readBlockMs
    this.#keepAlive()
    this.#loop.run(
      () => this.#outlet.room,
      (room) => this.#read(connection, room),
    )
  }

  /** See {@link LinkReader.leave}. */
  async leave(): Promise<void> {
    this.#loop.stop()
    this.#stop.abort()
    this.#sign?.cancel()
    this.#outlet.end()
    if (this.#connection !== undefined) {
      // the answer to a read that waits may still come: then it is ours to release
      await this.#connection.leave(LEAVE_MS)
      await this.#member.told()
      for (const { name, open } of this.#streams) await this.#member.release(name, [...open.keys()])
    }
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
    this.#sign?.cancel()
    this.#outlet.end()
    this.#connection?.close(error)
  }

  async #read(connection: RedisConnection, room: number): Promise<void> {
    const pending = this.#streams.find(({ pendingFrom }) => pendingFrom !== undefined)
    if (pending !== undefined) return this.#readPending(connection, pending, room)
    const now = this.#context.clock.monotonic()
    const due = this.#streams.find(({ sweepAtMs }) => sweepAtMs <= now)
    if (due !== undefined) return this.#sweep(connection, due, room)
    return this.#readNew(connection, room)
  }

  /** The next entries of the list. */
  async #readPending(connection: RedisConnection, stream: Stream, room: number): Promise<void> {
    const words = [...this.#readWords(room), 'STREAMS', stream.name, stream.pendingFrom ?? '0-0']
    const [entries] = readStreams(await this.#list(connection, stream, words)).map(([, found]) => found)
    stream.pendingFrom = entries?.at(-1)?.id
    for (const entry of entries ?? []) this.#push(stream, entry, !stream.fresh.delete(entry.id))
    this.#listed(stream)
    // what another member has claimed meanwhile is in the list no more
    if (stream.pendingFrom === undefined) stream.fresh.clear()
  }

  /** The next entries that were idle for too long. */
  async #sweep(connection: RedisConnection, stream: Stream, room: number): Promise<void> {
    const { clock, options } = this.#context
    const { claimIdleMs } = options
    const who = [stream.name, this.group, this.consumer, String(claimIdleMs)]
    const words = ['XAUTOCLAIM', ...who, stream.sweepFrom, 'COUNT', String(room)]
    const [next, entries] = answerList(await this.#list(connection, stream, words))
    stream.sweepFrom = answerText(next) || '0-0'
    if (stream.sweepFrom === '0-0') stream.sweepAtMs = clock.monotonic() + claimIdleMs / 2
    for (const entry of readEntries(entries)) this.#push(stream, entry, true)
    this.#listed(stream)
  }

  /** Asks for entries of the list. What is finished by then, or becomes so meanwhile, must not be taken for unfinished. */
  #list(connection: RedisConnection, stream: Stream, words: readonly string[]): Promise<unknown> {
    stream.listing = true
    return askOn(connection, words)
  }

  #listed(stream: Stream): void {
    stream.listing = false
    for (const id of stream.confirmed.splice(0)) stream.finished.delete(id)
  }

  /** The broker has confirmed that entries are finished: a list that is asked for from now on does not hold them. */
  #told(name: string, ids: readonly string[]): void {
    const stream = this.#streams.find((one) => one.name === name)
    for (const id of ids) {
      if (stream?.listing === true) stream.confirmed.push(id)
      else stream?.finished.delete(id)
    }
  }

  async #readNew(connection: RedisConnection, room: number): Promise<void> {
    const { clock, options } = this.#context
    const count = Math.max(1, Math.floor(room / this.#streams.length))
    const sweepInMs = Math.min(...this.#streams.map(({ sweepAtMs }) => sweepAtMs)) - clock.monotonic()
    const blockMs = Math.max(1, Math.ceil(Math.min(options.readBlockMs, sweepInMs)))
    const names = this.streams
    const words = [...this.#readWords(count), 'BLOCK', String(blockMs), 'STREAMS', ...names]
    const answer = await askOn(connection, [...words, ...names.map(() => '>')], blockMs)
    const isSettled = clock.monotonic() >= this.#settledAtMs
    for (const [name, entries] of readStreams(answer)) {
      const stream = this.#streams.find((one) => one.name === name)
      if (stream === undefined) continue
      for (const entry of entries) {
        if (isSettled || this.#loop.stopped) this.#push(stream, entry, false)
        else stream.fresh.add(entry.id)
      }
      if (!isSettled) stream.pendingFrom = '0-0'
    }
  }

  #readWords(count: number): string[] {
    return ['XREADGROUP', 'GROUP', this.group, this.consumer, 'COUNT', String(count)]
  }

  #push(stream: Stream, { id, fields }: RawEntry, redelivered: boolean): void {
    if (stream.open.has(id) || stream.finished.has(id)) return
    if (fields === undefined) {
      // it was trimmed or deleted before anybody finished it
      this.#finish(stream, id)
      return
    }
    const stored = storedOf(fields, this.#context.options)
    const entry: Entry = { stream: stream.name, id, stored, redelivered }
    stream.open.set(id, entry)
    this.#outlet.push(entry)
  }

  #finished({ stream: name, id }: Entry): void {
    const stream = this.#streams.find((one) => one.name === name)
    if (stream !== undefined) this.#finish(stream, id)
  }

  #finish(stream: Stream, id: string): void {
    stream.open.delete(id)
    stream.finished.add(id)
    this.#member.finish(stream.name, id)
  }

  #keepAlive(): void {
    const { clock, options } = this.#context
    this.#sign = clock.after(options.claimIdleMs / SIGNS_OF_LIFE, () => {
      for (const { name, open } of this.#streams) this.#member.keep(name, [...open.keys()])
      this.#keepAlive()
    })
  }
}
