import { randomBytes } from 'node:crypto'

import type { Clock, Message } from '../../contract/index.ts'
import type { FrameCipher } from './cipher.ts'
import type { Disk, DiskFile } from './disk.ts'
import type { LogName } from './format.ts'
import { encodeSegmentHeader, sealFrame, SEGMENT_HEADER_BYTES, segmentFile } from './format.ts'
import type { RangeSet } from './range-set.ts'
import type { RecordExtras } from './record.ts'
import type { StagedFrame } from './staging.ts'
import { Staging } from './staging.ts'

/** When what was written is made safe: before it is reported, every so often, or when the system likes. */
export type Fsync = 'always' | 'interval' | 'never'

/** What all logs of a store share. */
export interface LogContext {
  /** The disk. */
  readonly disk: Disk
  /** The folder of the store. */
  readonly folder: string
  /** Time. */
  readonly clock: Clock
  /** When writes are made safe. */
  readonly fsync: Fsync
  /** A segment ends at about this size. */
  readonly segmentBytes: number
  /** Encrypts and decrypts frames. */
  readonly cipher: FrameCipher | undefined
}

/** One file of a log. */
export interface Segment {
  /** Its file. */
  readonly path: string
  /** Its place among the segments. */
  readonly serial: number
  /** What its frames carry. */
  readonly nonce: number
  /** Its first sequence. */
  readonly first: number
  /** Payload bytes of the log before it; `undefined` when its header was damaged. */
  readonly bytesBefore: number | undefined
  /** Up to here it may be read. */
  size: number
  /** Where some of its frames lie, in order, for those written by this process. */
  readonly index: { readonly first: number; readonly position: number }[]
}

/** How a log stands when it is opened. */
export interface LogState {
  /** Its segments, in order. */
  readonly segments: Segment[]
  /** The number that the next segment gets. */
  readonly nextSerial: number
  /** The sequence that the next record gets. */
  readonly next: number
  /** Payload bytes of the log so far. */
  readonly bytes: number
  /** What is over. */
  readonly acked: RangeSet
  /** Payload bytes of what is not over. */
  readonly pendingBytes: number
}

/** Where the safe part of a log ends. */
export interface LogEnd {
  /** The sequence behind the last safe record. */
  readonly next: number
  /** The segment that it ends in; 0 for none. */
  readonly serial: number
  /** Where in it. */
  readonly position: number
  /** Payload bytes of the log up to there. */
  readonly bytes: number
  /** Payload bytes of what is safe and not over. */
  readonly pendingBytes: number
}

const INDEX_STEP_BYTES = 256 * 1024

/**
 * One append-only log: records go in at the end, are over in any order, and segments whose records are all over are
 * removed. `commit()`, `sync()` and `reclaim()` are called by one owner, one at a time.
 */
export class SegmentLog {
  /** Its name. */
  readonly name: LogName
  /** Its segments, in order. */
  readonly segments: Segment[]
  /** What is over. */
  readonly acked: RangeSet
  readonly #context: LogContext
  readonly #staging: Staging
  #next: number
  #safe: number
  /** The last sequence that no power cut can take. */
  #synced = 0
  #safeBytes: number
  #pendingBytes: number
  #nextSerial: number
  #file: DiskFile | undefined
  #written = 0
  /** The last sequence that was written. */
  #writtenTo = 0
  #unsafe: StagedFrame[] = []
  #dirty = false

  /** Goes on from a state. Nothing is written before the first record. */
  constructor(name: LogName, context: LogContext, state: LogState) {
    this.name = name
    this.#context = context
    this.segments = state.segments
    this.acked = state.acked
    this.#next = state.next
    this.#safe = state.next - 1
    if (context.fsync !== 'never') this.#synced = this.#safe
    this.#safeBytes = state.bytes
    this.#pendingBytes = state.pendingBytes
    this.#nextSerial = state.nextSerial
    this.#staging = new Staging(state.bytes, context)
  }

  /** The sequence of the last record that may be read. */
  get safe(): number {
    return this.#safe
  }

  /** How many records are not over. */
  get pending(): number {
    return this.#next - 1 - this.acked.low - this.acked.above
  }

  /** Payload bytes of what is not over. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Whether something waits to be written. */
  get isStaged(): boolean {
    return !this.#staging.isEmpty || this.#unsafe.length > 0
  }

  /** Bytes in files. */
  get diskBytes(): number {
    return this.segments.reduce((sum, { size }) => sum + size, 0)
  }

  /** Where the safe part ends. */
  get end(): LogEnd {
    const last = this.segments.at(-1)
    return {
      next: this.#safe + 1,
      serial: last?.serial ?? 0,
      position: last?.size ?? 0,
      bytes: this.#safeBytes,
      pendingBytes: this.#pendingBytes - (this.#staging.bytes - this.#safeBytes),
    }
  }

  /** Adds a record; gives its sequence. */
  append(message: Message, extras?: RecordExtras): number {
    const sequence = this.#next
    this.#staging.add(sequence, message, extras)
    this.#next += 1
    this.#pendingBytes += message.payload.byteLength
    return sequence
  }

  /** A record is over. */
  ack(sequence: number, bytes: number): void {
    if (this.acked.add(sequence)) this.#pendingBytes -= bytes
  }

  /** Gives out no sequence up to here: a copy of a record that a power cut took still names it. Only before the first record. */
  skipTo(sequence: number): void {
    if (sequence <= this.#safe) return
    this.acked.addRange(this.#next, sequence)
    this.#next = sequence + 1
    this.#safe = sequence
  }

  /** Records are over; gives how many were not yet. */
  ackRange(start: number, end: number, bytes: number): number {
    const added = this.acked.addRange(start, end)
    if (added > 0) this.#pendingBytes -= bytes
    return added
  }

  /** Makes the sum right when nothing is pending; gives what was wrong with it. */
  settleBytes(): number {
    if (this.pending > 0) return 0
    const wrong = this.#pendingBytes
    this.#pendingBytes = 0
    return wrong
  }

  /** The sequence behind the last one of a segment, as far as it may be read. */
  endOf(segment: Segment): number {
    const index = this.segments.indexOf(segment)
    return this.segments[index + 1]?.first ?? this.#safe + 1
  }

  /**
   * Writes what is staged, and makes it safe where that is asked for. When it fails, the same records are written again by the
   * next call, into a new segment: the one that failed is not trusted any more.
   */
  async commit(): Promise<void> {
    const frames = [...this.#unsafe, ...this.#staging.take()]
    const last = frames.at(-1)
    if (last === undefined) return
    this.#unsafe = frames
    const ends = new Map<Segment, number>()
    try {
      await this.#write(frames, ends)
      if (this.#context.fsync === 'always') await this.sync()
    } catch (error) {
      await this.#abandon()
      throw error
    }
    this.#unsafe = []
    for (const [segment, end] of ends) segment.size = end
    this.#safe = last.last
    this.#safeBytes = this.#staging.stagedFrom
    this.#staging.release(frames)
  }

  /** Makes what was written safe. A failure ends the segment: what was not safe in it may be lost. */
  async sync(): Promise<void> {
    if (!this.#dirty || this.#file === undefined) return
    this.#dirty = false
    const written = this.#writtenTo
    try {
      await this.#file.sync()
      this.#synced = written
    } catch (error) {
      await this.#abandon()
      throw error
    }
  }

  /**
   * Removes the segments whose records are all over by two sets, the latest one and the one before.
   *
   * @returns whether any went, and whether more will when the latest set is the one before
   */
  async reclaim(latest: RangeSet, before: RangeSet): Promise<{ removed: boolean; more: boolean }> {
    let removed = false
    let more = false
    const open = this.#file === undefined ? undefined : this.segments.at(-1)
    for (const segment of this.segments.slice()) {
      if (segment === open) continue
      const end = this.endOf(segment) - 1
      if (!latest.covers(segment.first, end)) continue
      if (!before.covers(segment.first, end)) {
        more = true
        continue
      }
      await this.#context.disk.remove(segment.path)
      this.segments.splice(this.segments.indexOf(segment), 1)
      removed = true
    }
    return { removed, more }
  }

  /** Ends the file that is written. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #write(frames: readonly StagedFrame[], ends: Map<Segment, number>): Promise<void> {
    let group: StagedFrame[] = []
    let bytes = 0
    for (const frame of frames) {
      const length = frame.end - frame.start
      const before = group.at(-1)
      const begins = this.#written + bytes > SEGMENT_HEADER_BYTES
      const isFull = begins && this.#written + bytes + length > this.#context.segmentBytes
      if (before !== undefined && (isFull || before.chunk !== frame.chunk || before.end !== frame.start)) {
        await this.#writeGroup(group, ends)
        group = []
        bytes = 0
      }
      if (isFull || this.#file === undefined) await this.#begin(frame)
      group.push(frame)
      bytes += length
    }
    await this.#writeGroup(group, ends)
  }

  async #writeGroup(group: readonly StagedFrame[], ends: Map<Segment, number>): Promise<void> {
    const [first] = group
    const last = group.at(-1)
    const segment = this.segments.at(-1)
    if (first === undefined || last === undefined || segment === undefined) return
    const { bytes } = first.chunk
    const nowMs = this.#context.clock.now()
    for (const { start, end, first: sequence } of group) {
      sealFrame(bytes, start, end, segment.nonce, this.#synced, nowMs)
      const position = this.#written + (start - first.start)
      const indexed = segment.index.at(-1)?.position ?? -Infinity
      if (position - indexed >= INDEX_STEP_BYTES) segment.index.push({ first: sequence, position })
    }
    this.#dirty = true
    await this.#file?.write(bytes.subarray(first.start, last.end), this.#written)
    this.#written += last.end - first.start
    this.#writtenTo = last.last
    ends.set(segment, this.#written)
  }

  async #begin(frame: StagedFrame): Promise<void> {
    const { disk, folder, clock, fsync } = this.#context
    if (fsync !== 'never') await this.sync()
    await this.close()
    const nonce = randomBytes(4).readUInt32LE()
    const serial = this.#nextSerial
    const { first, bytesBefore } = frame
    this.#nextSerial += 1
    const path = `${folder}/${segmentFile(this.name, serial, first, nonce)}`
    const file = await disk.open(path, 'create')
    try {
      await file.write(encodeSegmentHeader({ nonce, first, bytesBefore }, clock.now()), 0)
      if (fsync !== 'never') {
        await file.sync()
        await disk.syncFolder(folder)
      }
    } catch (error) {
      await file.close()
      await disk.remove(path).catch(() => undefined)
      throw error
    }
    this.#file = file
    this.#written = SEGMENT_HEADER_BYTES
    this.#dirty = false
    this.segments.push({ path, serial, nonce, first, bytesBefore, size: SEGMENT_HEADER_BYTES, index: [] })
  }

  /** Trusts the open file no more. When nothing in it was safe, it goes. */
  async #abandon(): Promise<void> {
    this.#dirty = false
    if (this.#file === undefined) return
    await this.close()
    const segment = this.segments.at(-1)
    if (segment === undefined || segment.size > SEGMENT_HEADER_BYTES) return
    this.segments.pop()
    // what cannot be removed holds only what stands again in the next one
    await this.#context.disk.remove(segment.path).catch(() => undefined)
  }
}
