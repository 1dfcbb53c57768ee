import { deferred } from '../../kit/deferred.ts'
import type { LaneIndex, Settled, Ticket } from '../entry.ts'
import { Entry, expiryAt } from '../entry.ts'
import { SequenceQueue } from '../sequence-queue.ts'
import type { Dropped } from '../store.ts'
import type { DiskFile } from './disk.ts'
import type { Frame } from './format.ts'
import { ENCRYPTED, SEGMENT_HEADER_BYTES } from './format.ts'
import { decodeRecord } from './record.ts'
import { FrameScanner } from './scanner.ts'
import type { SegmentLog } from './segment-log.ts'
import type { LogContext, Segment } from './segment.ts'
import { authenticatedHeader } from './staging.ts'

/*
 * What of a lane is in memory, to be taken: a run of entries without a gap, up to `#next`. Behind it lies what is only on disk.
 *
 *   hot    `#next` is the next entry that becomes safe: it stays in memory, and nothing is read
 *   cold   there is more on disk: it is read ahead in windows whenever less than half of the room is used
 *
 * The room is bounded, so a backlog of any size takes the same memory. Who follows a message that leaves memory is remembered by its
 * sequence.
 */

const MAX_ENTRIES = 16_384
const MAX_BYTES = 4 * 1024 * 1024
const RETRY_MS = 1000

/** What a reader tells. */
export interface ReaderHooks {
  /** Records that were safe are missing. `entry` stands for one that someone follows. */
  lost(messages: number, bytes: number, entry: Entry | undefined): void
  /** There may be something to take. */
  changed(): void
  /** Reading failed; it is tried again. */
  failed(error: unknown): void
}

interface Place {
  readonly segment: Segment
  readonly file: DiskFile
  readonly scanner: FrameScanner
}

interface Follower {
  readonly settled: Settled | WeakRef<Settled> | undefined
  readonly ticket: Ticket | undefined
}

/** Reads the segments of one lane ahead of who takes its entries. */
export class LaneReader {
  readonly #log: SegmentLog
  readonly #lane: LaneIndex
  readonly #context: LogContext
  readonly #hooks: ReaderHooks
  readonly #queue = new SequenceQueue()
  readonly #followers = new Map<number, Follower>()
  readonly #forgotten = new FinalizationRegistry<number>((sequence) => this.#followers.delete(sequence))
  #queueBytes = 0
  #next: number
  /** Payload bytes of the log before `#next`. */
  #bytesAt: number
  #place: Place | undefined
  #reading: Promise<void> | undefined
  #generation = 0
  #closed = false
  #endPause: (() => void) | undefined

  /** Begins with the first record that is not over. */
  constructor(log: SegmentLog, lane: LaneIndex, context: LogContext, hooks: ReaderHooks) {
    this.#log = log
    this.#lane = lane
    this.#context = context
    this.#hooks = hooks
    this.#next = log.acked.low + 1
    this.#bytesAt = log.end.bytes - log.pendingBytes
  }

  /** The sequence of the first entry that was not taken. */
  get first(): number {
    return this.#queue.peek()?.sequence ?? this.#next
  }

  /** The first entry; `undefined` where there is none, or it is being read. */
  peek(): Entry | undefined {
    const entry = this.#queue.peek()
    if (entry === undefined) this.#readAhead()
    return entry
  }

  /** Takes it. */
  take(): Entry | undefined {
    const entry = this.#queue.shift()
    if (entry === undefined) return undefined
    this.#queueBytes -= entry.bytes
    if (this.#queue.length * 2 < MAX_ENTRIES && this.#queueBytes * 2 < MAX_BYTES) this.#readAhead()
    return entry
  }

  /** An entry became safe: it stays in memory where there is room and nothing lies before it on disk only. */
  offer(entry: Entry): void {
    if (entry.sequence === this.#next && this.#hasRoom()) {
      this.#leavePlace()
      this.#push(entry)
      this.#next += 1
      this.#bytesAt += entry.bytes
    } else if (entry.settled !== undefined || entry.ticket !== undefined) {
      this.#remember(entry)
    }
  }

  /** Drops at least the first entry that was not taken; false when there is none. */
  dropOldest(dropped: Dropped): boolean {
    const entry = this.take()
    if (entry !== undefined) {
      this.#log.ack(entry.sequence, entry.bytes)
      dropped(1, entry.bytes, entry)
      return true
    }
    return this.#next <= this.#log.safe && this.#dropUnread(dropped)
  }

  /** Drops what has expired or was withdrawn among what is in memory; gives the earliest deadline left. */
  sweep(monotonicMs: number, dropped: Dropped): number {
    const { over, earliestMs } = this.#queue.sweep(monotonicMs)
    for (const entry of over) {
      this.#queueBytes -= entry.bytes
      this.#log.ack(entry.sequence, entry.bytes)
      dropped(1, entry.bytes, entry)
    }
    if (over.length > 0) this.#readAhead()
    return earliestMs
  }

  /** Ends it: gives who still follows a message. */
  async close(): Promise<Entry[]> {
    this.#closed = true
    this.#generation += 1
    this.#endPause?.()
    await this.#reading
    await this.#place?.file.close()
    this.#place = undefined
    const left: Entry[] = []
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) left.push(entry)
    for (const { settled, ticket } of this.#followers.values())
      left.push(standIn(this.#lane, held(settled), ticket))
    this.#followers.clear()
    return left
  }

  /** Who follows a message that leaves memory. */
  #remember({ sequence, settled, ticket, isWeak }: Entry): void {
    if (isWeak && settled !== undefined) {
      this.#forgotten.register(settled, sequence)
      this.#followers.set(sequence, { settled: new WeakRef(settled), ticket })
    } else {
      this.#followers.set(sequence, { settled, ticket })
    }
  }

  #hasRoom(): boolean {
    return this.#queue.length < MAX_ENTRIES && this.#queueBytes < MAX_BYTES
  }

  #push(entry: Entry): void {
    this.#queue.add(entry)
    this.#queueBytes += entry.bytes
  }

  /** Whole segments go at once when they are not in memory: reading them first would only cost time. */
  #dropUnread(dropped: Dropped): boolean {
    const segment = this.#segmentOf(this.#next)
    const last = Math.min(this.#log.safe, (segment === undefined ? Infinity : this.#log.endOf(segment)) - 1)
    const following = segment === undefined ? undefined : this.#log.segments[this.#indexOf(segment) + 1]
    const bytesEnd = following?.bytesBefore ?? this.#log.end.bytes
    const bytes = Math.min(this.#log.pendingBytes, Math.max(0, bytesEnd - this.#bytesAt))
    const messages = this.#log.ackRange(this.#next, last, bytes)
    this.#tellFollowers(this.#next, last, dropped)
    this.#generation += 1
    this.#leavePlace()
    this.#next = last + 1
    this.#bytesAt = bytesEnd
    if (messages > 0) dropped(messages, bytes, undefined)
    return true
  }

  #tellFollowers(start: number, end: number, dropped: Dropped): void {
    if (this.#followers.size === 0) return
    for (const [sequence, { settled, ticket }] of this.#followers) {
      if (sequence < start || sequence > end) continue
      this.#followers.delete(sequence)
      dropped(0, 0, standIn(this.#lane, held(settled), ticket))
    }
  }

  #readAhead(): void {
    if (this.#reading !== undefined || this.#closed || this.#next > this.#log.safe || !this.#hasRoom()) return
    this.#reading = this.#readWhileRoom().finally(() => {
      this.#reading = undefined
      if (!this.#closed) this.#hooks.changed()
    })
  }

  async #readWhileRoom(): Promise<void> {
    try {
      while (!this.#closed && this.#next <= this.#log.safe && this.#hasRoom()) {
        await this.#readOnce(this.#generation)
      }
    } catch (error) {
      this.#leavePlace()
      this.#hooks.failed(error)
      await this.#pause()
    }
  }

  async #pause(): Promise<void> {
    if (this.#closed) return
    const { promise, resolve } = deferred()
    const timer = this.#context.clock.after(RETRY_MS, resolve, true)
    this.#endPause = resolve
    await promise
    timer.cancel()
  }

  async #readOnce(generation: number): Promise<void> {
    const place = this.#place ?? (await this.#enter(this.#next))
    if (generation !== this.#generation) return
    if (place === undefined) {
      const later = this.#log.segments.find(({ first }) => first > this.#next)
      this.#lose(Math.min(later?.first ?? Infinity, this.#log.safe + 1), later?.bytesBefore)
      return
    }
    const { segment, scanner } = place
    const { size } = segment
    const frames = await scanner.read(size)
    if (generation !== this.#generation) return
    if (this.#indexOf(segment) < 0) this.#leavePlace()
    else if (frames.length > 0) this.#takeFrames(frames, this.#log.endOf(segment))
    else if (segment.size === size) {
      const following = this.#log.segments[this.#indexOf(segment) + 1]
      this.#lose(Math.min(this.#log.endOf(segment), this.#log.safe + 1), following?.bytesBefore)
      this.#leavePlace()
    }
  }

  #takeFrames(frames: readonly Frame[], end: number): void {
    for (const frame of frames) {
      const behind = frame.first + frame.count
      if (behind <= this.#next || frame.first >= end) continue
      this.#lose(frame.first, frame.bytesBefore)
      const body = openBody(this.#context, frame)
      if (body !== undefined) this.#tryRecords(frame, body)
      this.#lose(behind, undefined)
      this.#bytesAt = frame.bytesBefore + frame.payloadBytes
    }
  }

  /** A frame that is intact but cannot be understood costs what it holds, not the lane. */
  #tryRecords(frame: Frame, body: Buffer): void {
    try {
      this.#takeRecords(frame, body)
    } catch (error) {
      this.#hooks.failed(error)
    }
  }

  #takeRecords(frame: Frame, body: Buffer): void {
    let at = 0
    for (let index = 0; index < frame.count; index += 1) {
      const record = decodeRecord(body, at)
      at = record.end
      const sequence = frame.first + index
      if (sequence < this.#next) continue
      this.#next = sequence + 1
      if (this.#log.acked.has(sequence)) continue
      const { message, expiresAtMs } = record
      const expiry = expiresAtMs === undefined ? undefined : expiryAt(expiresAtMs, this.#context.clock)
      const follower = this.#followers.get(sequence)
      if (follower !== undefined) this.#followers.delete(sequence)
      const entry = new Entry(message, this.#lane, expiry, held(follower?.settled), follower?.ticket)
      entry.sequence = sequence
      this.#push(entry)
    }
  }

  /**
   * What is not over from `#next` up to `end` cannot be read.
   *
   * @param bytesEnd - payload bytes of the log before `end`, where that is known
   */
  #lose(end: number, bytesEnd: number | undefined): void {
    const start = this.#next
    if (start >= end) return
    this.#next = end
    const missing = end - start - this.#log.acked.countIn(start, end - 1)
    const whole = Math.max(0, (bytesEnd ?? this.#log.end.bytes) - this.#bytesAt)
    const share = Math.round((whole * missing) / (end - start))
    const bytes = Math.min(this.#log.pendingBytes, share)
    this.#bytesAt += whole
    const messages = this.#log.ackRange(start, end - 1, bytes)
    this.#tellFollowers(start, end - 1, (_messages, _bytes, entry) => this.#hooks.lost(0, 0, entry))
    if (messages > 0) this.#hooks.lost(messages, bytes, undefined)
  }

  async #enter(sequence: number): Promise<Place | undefined> {
    const segment = this.#segmentOf(sequence)
    if (segment === undefined) return undefined
    const indexed = segment.index.findLast(({ first }) => first <= sequence)
    const file = await this.#context.disk.open(segment.path, 'read')
    const position = indexed?.position ?? SEGMENT_HEADER_BYTES
    const scanner = new FrameScanner(file, segment.nonce, position)
    if (this.#closed || this.#place !== undefined) {
      await file.close()
      return this.#place
    }
    this.#place = { segment, file, scanner }
    return this.#place
  }

  #leavePlace(): void {
    // closing has no error that could be acted on
    void this.#place?.file.close().catch(() => undefined)
    this.#place = undefined
  }

  #segmentOf(sequence: number): Segment | undefined {
    return this.#log.segments.findLast(
      (segment) => segment.first <= sequence && sequence < this.#log.endOf(segment),
    )
  }

  #indexOf(segment: Segment): number {
    return this.#log.segments.indexOf(segment)
  }
}

/** The records of a frame, decrypted where they are encrypted; `undefined` when that fails. */
export function openBody({ cipher }: Pick<LogContext, 'cipher'>, frame: Frame): Buffer | undefined {
  if ((frame.flags & ENCRYPTED) === 0) return frame.body
  return cipher?.open(authenticatedHeader(frame.count, frame.flags, frame.first), frame.body)
}

function held(settled: Follower['settled']): Settled | undefined {
  return settled instanceof WeakRef ? settled.deref() : settled
}

const NO_MESSAGE = { id: '', topic: '', payload: new Uint8Array(), key: undefined, headers: undefined }

/** Stands for a message that is not in memory, so that who follows it can be told. */
export function standIn(lane: LaneIndex, settled: Settled | undefined, ticket: Ticket | undefined): Entry {
  return new Entry(NO_MESSAGE, lane, undefined, settled, ticket)
}
