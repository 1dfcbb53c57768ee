import type { CursorLog } from './cursor.ts'
import { newerVersion } from './cursor.ts'
import type { Disk, DiskFile } from './disk.ts'
import type { Frame, LogName, SegmentName } from './format.ts'
import { decodeSegmentHeader, FORMAT_VERSION, parseSegmentFile, SEGMENT_HEADER_BYTES } from './format.ts'
import { RangeSet } from './range-set.ts'
import { FrameScanner, isReadOnly } from './scanner.ts'
import type { LogContext, LogState, Segment } from './segment.ts'

/*
 * How a log is opened: the cursor tells what is over and where the safe part ended; from there on the segments are read to their
 * end. Without a cursor everything is read, and everything is pending. What lies before that place is believed until it
 * is read for sending.
 *
 * Sequences that are missing behind that place: those that a later frame calls safe were damaged, and are lost; the others are what a
 * power cut left of a write that nobody was told of.
 */

/** A log as it was found. */
export interface FoundLog {
  /** How it stands. */
  readonly state: LogState
  /** Records that are missing though they were safe. */
  readonly damaged: number
  /** Bytes at the end that belong to no valid frame: what a crash left. */
  readonly invalidBytes: number
  /** The frames that the cursor did not know yet. */
  readonly newFrames: number
}

/** Is shown each frame that the cursor did not know yet. */
export type OnFrame = (name: LogName, frame: Frame, segment: Segment) => void

/** Opens one log. */
export async function recoverLog(
  name: LogName,
  context: LogContext,
  files: readonly string[],
  cursor: CursorLog | undefined,
  onFrame: OnFrame,
): Promise<FoundLog> {
  const names = files
    .map((file) => parseSegmentFile(file))
    .filter((parsed): parsed is SegmentName => parsed?.log === name)
    .toSorted((a, b) => a.serial - b.serial)
  const segments: Segment[] = []
  for (const parsed of names) {
    const segment = await openSegment(context, parsed)
    if (segment !== undefined) segments.push(segment)
  }
  const low = cursor?.low ?? (segments[0]?.first ?? 1) - 1
  const acked = new RangeSet(low, cursor?.ranges)
  const scan = new Scan(cursor?.next ?? low + 1, cursor?.bytes ?? segments[0]?.bytesBefore ?? 0)
  for (const [index, segment] of segments.entries()) {
    if (cursor !== undefined && segment.serial < cursor.serial) continue
    const isKnown = segment.serial === cursor?.serial
    const from = isKnown ? Math.max(SEGMENT_HEADER_BYTES, cursor?.position ?? 0) : SEGMENT_HEADER_BYTES
    const limit = segments[index + 1]?.first ?? Infinity
    await scanSegment(context, segment, from, limit, scan, (frame) => onFrame(name, frame, segment))
  }
  const damaged = scan.settle(acked)
  // what is over beyond the end was never safe: its sequences are not given out again
  const top = acked.highest
  acked.addRange(scan.next, top)
  return {
    state: {
      segments,
      nextSerial: Math.max(0, cursor?.serial ?? 0, ...names.map(({ serial }) => serial)) + 1,
      next: Math.max(scan.next, top + 1),
      bytes: scan.bytes,
      acked,
      pendingBytes: (cursor?.pendingBytes ?? 0) + scan.foundBytes,
    },
    damaged,
    invalidBytes: scan.invalidBytes,
    newFrames: scan.frames,
  }
}

/** What is found behind the place that the cursor knows. */
class Scan {
  next: number
  bytes: number
  foundBytes = 0
  invalidBytes = 0
  frames = 0
  readonly #gaps: [start: number, end: number][] = []
  #safe = 0

  constructor(next: number, bytes: number) {
    this.next = next
    this.bytes = bytes
  }

  add(frame: Frame): void {
    this.#safe = Math.max(this.#safe, frame.safe)
    const end = frame.first + frame.count
    if (end <= this.next) return
    if (frame.first > this.next) this.#gaps.push([this.next, frame.first - 1])
    this.next = end
    this.bytes = frame.bytesBefore + frame.payloadBytes
    this.foundBytes += frame.payloadBytes
    this.frames += 1
  }

  /** Ends what is missing; gives how many of it had been safe. */
  settle(acked: RangeSet): number {
    let damaged = 0
    for (const [start, end] of this.#gaps) {
      const safe = Math.min(end, this.#safe)
      if (safe >= start) damaged += safe - start + 1 - acked.countIn(start, safe)
      acked.addRange(start, end)
    }
    return damaged
  }
}

async function openSegment(context: LogContext, name: SegmentName): Promise<Segment | undefined> {
  const path = `${context.folder}/${name.file}`
  const file = await context.disk.open(path, 'read')
  try {
    const size = await file.size()
    // a power cut while it was made: it never held anything
    if (size <= SEGMENT_HEADER_BYTES) return undefined
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    await file.read(bytes, 0, bytes.length, 0).catch(() => 0)
    const header = decodeSegmentHeader(bytes)
    if (header !== undefined && header.version > FORMAT_VERSION) throw newerVersion()
    const { serial } = name
    const { nonce, first, bytesBefore } = header ?? { ...name, bytesBefore: undefined }
    return { path, serial, nonce, first, bytesBefore, size, index: [] }
  } finally {
    await file.close()
  }
}

async function scanSegment(
  context: LogContext,
  segment: Segment,
  from: number,
  limit: number,
  scan: Scan,
  onFrame: (frame: Frame) => void,
): Promise<void> {
  const before = scan.frames
  const isRead = context.fsync === 'never'
  const file = isRead
    ? await context.disk.open(segment.path, 'read')
    : await openToSync(context.disk, segment.path)
  try {
    const scanner = new FrameScanner(file, segment.nonce, from)
    for (let frames = await scanner.read(segment.size); frames.length > 0;) {
      for (const frame of frames) {
        if (frame.first >= limit || frame.first + frame.count <= scan.next) continue
        scan.add(frame)
        onFrame(frame)
      }
      frames = await scanner.read(segment.size)
    }
    scan.invalidBytes += scanner.invalidBytes
    // what a killed process wrote may be in memory only: it must be safe before anyone is told of it
    if (scan.frames > before && !isRead) await file.sync()
  } finally {
    await file.close()
  }
}

/** A file of a read-only disk can be synced as well: it is only read then. */
async function openToSync(disk: Disk, path: string): Promise<DiskFile> {
  try {
    return await disk.open(path, 'update')
  } catch (error) {
    if (!isReadOnly(error)) throw error
    return disk.open(path, 'read')
  }
}
