import { randomBytes } from 'node:crypto'

import type { Message } from '../../contract/index.ts'
import type { DiskFile } from './disk.ts'
import type { LogName } from './format.ts'
import { encodeSegmentHeader, sealFrame, SEGMENT_HEADER_BYTES, segmentFile } from './format.ts'
import type { RangeSet } from './range-set.ts'
import type { RecordExtras } from './record.ts'
import type { LogContext, LogEnd, LogState, Segment } from './segment.ts'
import type { StagedFrame } from './staging.ts'
import { Staging } from './staging.ts'

const INDEX_STEP_BYTES = 256 * 1024

/**
 * One append-only log: records go in at the end, are over in any order, and segments whose records are all over are
 * removed. `write()` and `makeSafe()` run side by side; `sync()`, `reclaim()` and `recover()` are called by their owner while neither runs.
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
  #toWrite: StagedFrame[] = []
  /** What was written and is not safe. */
  #toSync: StagedFrame[] = []
  /** Where that ends, in each segment. */
  #ends = new Map<Segment, number>()
  /** Whether the file has bytes that no sync has seen. */
  #dirty = false
  #syncing: Promise<void> | undefined
  /** Why the file is not trusted. */
  #failure: unknown

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
    return !this.#staging.isEmpty || this.#toWrite.length > 0
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
   * Writes what is staged. It runs beside `makeSafe()`, and not beside itself. A file that failed is not trusted any more: what was
   * not safe in it is written again after `recover()`, into a new one.
   */
  async write(): Promise<void> {
    const frames = this.#toWrite.concat(this.#staging.take())
    if (frames.length === 0) return
    this.#toWrite = []
    try {
      await this.#write(frames)
    } catch (error) {
      this.#toWrite = frames
      this.#failure ??= error
      throw error
    }
    for (const frame of frames) this.#toSync.push(frame)
  }

  /** Makes safe what had been written when it was called. It runs beside `write()`, and not beside itself. */
  async makeSafe(): Promise<void> {
    const frames = this.#toSync
    const last = frames.at(-1)
    if (last === undefined) return
    const ends = this.#ends
    this.#toSync = []
    this.#ends = new Map()
    try {
      if (this.#context.fsync === 'always') await this.sync()
    } catch (error) {
      this.#toSync = [...frames, ...this.#toSync]
      throw error
    }
    for (const [segment, end] of ends) segment.size = end
    this.#safe = last.last
    this.#safeBytes = last.bytesAfter
    this.#staging.release(frames)
  }

  /** Writes what is staged, and makes it safe. */
  async commit(): Promise<void> {
    await this.write()
    await this.makeSafe()
  }

  /** After a failure, while nothing runs: what was not safe in the file that failed is staged again. Without one the rest is made safe. */
  async recover(): Promise<void> {
    if (this.#failure === undefined) {
      await this.makeSafe()
      return
    }
    this.#failure = undefined
    this.#toWrite = [...this.#toSync, ...this.#toWrite]
    this.#toSync = []
    this.#ends.clear()
    await this.#abandon()
  }

  /** Makes what was written safe. A failure ends the segment: what was not safe in it may be lost. */
  async sync(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing
    if (this.#failure !== undefined) throw this.#failure
    if (!this.#dirty || this.#file === undefined) return
    this.#syncing = this.#syncFile(this.#file)
    await this.#syncing
  }

  async #syncFile(file: DiskFile): Promise<void> {
    this.#dirty = false
    const written = this.#writtenTo
    try {
      await file.sync()
      this.#synced = written
    } catch (error) {
      this.#failure ??= error
      throw error
    } finally {
      this.#syncing = undefined
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
      const index = this.segments.indexOf(segment)
      if (index >= 0) this.segments.splice(index, 1)
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

  async #write(frames: readonly StagedFrame[]): Promise<void> {
    let group: StagedFrame[] = []
    let groups: Promise<void>[] = []
    let bytes = 0
    for (const frame of frames) {
      const length = frame.end - frame.start
      const before = group.at(-1)
      const begins = this.#written + bytes > SEGMENT_HEADER_BYTES
      const isFull = begins && this.#written + bytes + length > this.#context.segmentBytes
      if (before !== undefined && (isFull || before.chunk !== frame.chunk || before.end !== frame.start)) {
        groups.push(this.#writeGroup(group))
        group = []
        bytes = 0
      }
      if (isFull || this.#file === undefined) {
        await this.#finish(groups, before?.last)
        groups = []
        await this.#begin(frame)
      }
      group.push(frame)
      bytes += length
    }
    groups.push(this.#writeGroup(group))
    await this.#finish(groups, frames.at(-1)?.last)
  }

  /** All of them are over, whatever became of them: their buffers may be used again. */
  async #finish(groups: readonly Promise<void>[], last: number | undefined): Promise<void> {
    for (const result of await Promise.allSettled(groups)) {
      if (result.status === 'rejected') throw result.reason
    }
    if (last === undefined) return
    this.#dirty = true
    this.#writtenTo = last
  }

  async #writeGroup(group: readonly StagedFrame[]): Promise<void> {
    const [first] = group
    const last = group.at(-1)
    const segment = this.segments.at(-1)
    if (first === undefined || last === undefined || segment === undefined) return
    const { bytes } = first.chunk
    const nowMs = this.#context.clock.now()
    const position = this.#written
    for (const { start, end, first: sequence } of group) {
      sealFrame(bytes, start, end, segment.nonce, this.#synced, nowMs)
      const at = position + (start - first.start)
      const indexed = segment.index.at(-1)?.position ?? -Infinity
      if (at - indexed >= INDEX_STEP_BYTES) segment.index.push({ first: sequence, position: at })
    }
    this.#written += last.end - first.start
    this.#ends.set(segment, this.#written)
    await this.#file?.write(bytes.subarray(first.start, last.end), position)
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
