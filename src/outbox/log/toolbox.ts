import type { Account } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import type { FrameCipher } from './cipher.ts'
import { diskError } from './committer.ts'
import { cursorLog, readCursor } from './cursor.ts'
import type { LogName } from './format.ts'
import { LOG_NAMES, SEGMENT_HEADER_BYTES } from './format.ts'
import { keyIds } from './keys.ts'
import { nodeDisk } from './node-disk.ts'
import { openParts } from './open.ts'
import { eachRecord } from './parked-log.ts'
import type { LogStoreParts } from './parts.ts'
import type { LogRecord } from './record.ts'
import { recoverLog } from './recovery.ts'
import { FrameScanner } from './scanner.ts'
import type { LogContext, LogState, Segment } from './segment.ts'

/** How one log of a store is. */
export interface LogReport {
  /** Its name. */
  readonly log: LogName
  /** Its files. */
  readonly segments: number
  /** Their bytes. */
  readonly diskBytes: number
  /** Messages that are not over. */
  readonly pending: number
  /** Their payload bytes. */
  readonly pendingBytes: number
  /** Messages that are not over and cannot be read. */
  readonly damaged: number
  /** Bytes that belong to no valid frame. */
  readonly invalidBytes: number
}

/** How a store is, read without changing anything. */
export interface OutboxReport {
  /** Its logs. */
  readonly logs: readonly LogReport[]
  /** How many came to which end, by the cursor; `undefined` when it cannot be read. */
  readonly totals: Pick<Account, 'delivered' | 'dead' | 'dropped' | 'resent'> | undefined
  /** Cursor files that cannot be read. */
  readonly damagedCursors: readonly string[]
  /** The ids of the keys that encrypt it. */
  readonly keyIds: readonly string[]
}

/** A message that a store holds. */
export interface HeldMessage extends Omit<LogRecord, 'end'> {
  /** The log that it lies in. */
  readonly log: LogName
}

/** Reads every frame of a store. It changes nothing, and takes no lock: while a process writes, what it tells is a moment old. */
export async function verifyOutbox(folder: string, cipher?: FrameCipher): Promise<OutboxReport> {
  const context = readContext(folder, cipher)
  const files = await filesOf(folder)
  const { state: cursor, damaged: damagedCursors } = await readCursor(nodeDisk, folder, files)
  const logs: LogReport[] = []
  for (const name of LOG_NAMES) {
    const { state } = await recoverLog(name, context, files, cursor?.logs[name], () => undefined)
    logs.push(await verifyLog(context, name, state))
  }
  return { logs, totals: cursor?.totals, damagedCursors, keyIds: [...(await keyIds(context, files))] }
}

/** Gives every message of some logs that is not over, log by log and in order. */
export async function* readOutbox(
  folder: string,
  logs: readonly LogName[],
  cipher?: FrameCipher,
): AsyncGenerator<HeldMessage> {
  const context = readContext(folder, cipher)
  const files = await filesOf(folder)
  const { state: cursor } = await readCursor(nodeDisk, folder, files)
  for (const name of logs) {
    const { state } = await recoverLog(name, context, files, cursor?.logs[name], () => undefined)
    for (const [index, segment] of state.segments.entries()) {
      const end = state.segments[index + 1]?.first ?? Infinity
      for await (const { sequence, record } of recordsOf(context, segment, end)) {
        if (!state.acked.has(sequence)) yield { ...record, log: name }
      }
    }
  }
}

/** A store to change: it must not be in use. */
export interface EditOptions {
  /** Its folder. */
  readonly folder: string
  /** Its keys, where it is encrypted. */
  readonly cipher?: FrameCipher | undefined
}

/**
 * Sends dead letters or parked messages again, or removes them.
 *
 * @param ids - which ones; `undefined` for all
 * @returns how many
 * @throws BackhaulError `OUTBOX_IN_USE`, `OUTBOX_FAILED`, `KEY_INVALID`
 */
export function editOutbox(
  options: EditOptions,
  what: 'resend' | 'remove',
  from: 'dead' | 'parked',
  ids: ReadonlySet<string> | undefined,
): Promise<number> {
  return withParts(options, async (parts) => {
    const log = from === 'dead' ? parts.dead.log : parts.parkedLog
    let edited = 0
    for (const segment of log.segments.slice()) {
      for await (const { sequence, record } of recordsOf(parts.context, segment, log.endOf(segment))) {
        const { message } = record
        if (log.acked.has(sequence) || (ids !== undefined && !ids.has(message.id))) continue
        if (what === 'resend') await resend(parts, record, from)
        else if (from === 'parked') parts.totals.dropped.withdrawn += 1
        log.ack(sequence, message.payload.byteLength)
        edited += 1
      }
    }
    return edited
  })
}

/**
 * Reads every message that is not over, and ends those that cannot be read: they are counted as damaged.
 *
 * @returns how many
 * @throws BackhaulError `OUTBOX_IN_USE`, `OUTBOX_FAILED`, `KEY_INVALID`
 */
export function repairOutbox(options: EditOptions): Promise<number> {
  return withParts(options, async (parts) => {
    let lost = 0
    for (const log of parts.lanes) {
      let at = log.acked.firstMissing(1)
      const loseUpTo = (end: number) => {
        for (; at < end; at = log.acked.firstMissing(at + 1)) {
          log.ack(at, 0)
          lost += 1
        }
      }
      for (const segment of log.segments) {
        for await (const { sequence } of recordsOf(parts.context, segment, log.endOf(segment))) {
          loseUpTo(sequence)
          if (at === sequence) at = log.acked.firstMissing(sequence + 1)
        }
      }
      loseUpTo(log.safe + 1)
    }
    parts.totals.dropped.damaged += lost
    return parts.report.damaged + lost
  })
}

async function resend(
  { lanes, totals }: LogStoreParts,
  record: LogRecord,
  from: 'dead' | 'parked',
): Promise<void> {
  const lane = lanes[record.origin?.lane ?? 2]
  lane.append(record.message, { expiresAtMs: record.expiresAtMs })
  await lane.commit()
  if (from === 'dead') totals.dead -= 1
}

/** Opens a store for a change, saves what it came to, and lets go of it. */
async function withParts(
  options: EditOptions,
  change: (parts: LogStoreParts) => Promise<number>,
): Promise<number> {
  const parts = await openParts(options)
  let { lock } = parts
  try {
    lock ??= await parts.takeFolder()
    const result = await change(parts)
    await saveBoth(parts)
    return result
  } catch (error) {
    throw diskError(error)
  } finally {
    for (const log of [...parts.lanes, parts.parkedLog, parts.dead.log]) await log.close()
    await parts.cursor.close()
    await lock?.release()
  }
}

async function saveBoth({ lanes, parkedLog, dead, totals, lastId, cursor }: LogStoreParts): Promise<void> {
  const logs = {
    control: cursorLog(lanes[0]),
    alarm: cursorLog(lanes[1]),
    telemetry: cursorLog(lanes[2]),
    parked: cursorLog(parkedLog),
    dead: cursorLog(dead.log),
  }
  await cursor.write({ totals, lastId, logs })
  await cursor.write({ totals, lastId, logs })
}

async function verifyLog(context: LogContext, name: LogName, state: LogState): Promise<LogReport> {
  const { segments, acked, next } = state
  let readable = 0
  let invalidBytes = 0
  for (const [index, segment] of segments.entries()) {
    const end = segments[index + 1]?.first ?? next
    const scan = { invalidBytes: 0 }
    for await (const { sequence } of recordsOf(context, segment, end, scan)) {
      if (!acked.has(sequence)) readable += 1
    }
    invalidBytes += scan.invalidBytes
  }
  const pending = next - 1 - acked.low - acked.above
  return {
    log: name,
    segments: segments.length,
    diskBytes: segments.reduce((sum, { size }) => sum + size, 0),
    pending,
    pendingBytes: state.pendingBytes,
    damaged: Math.max(0, pending - readable),
    invalidBytes,
  }
}

async function* recordsOf(
  context: LogContext,
  segment: Segment,
  end: number,
  scan: { invalidBytes: number } = { invalidBytes: 0 },
): AsyncGenerator<{ sequence: number; record: LogRecord }> {
  const file = await context.disk.open(segment.path, 'read')
  try {
    const scanner = new FrameScanner(file, segment.nonce, SEGMENT_HEADER_BYTES)
    let next = segment.first
    for (let frames = await scanner.read(segment.size); frames.length > 0;) {
      for (const frame of frames) {
        const found: { sequence: number; record: LogRecord }[] = []
        eachRecord(context, frame, end, (sequence, record) => {
          if (sequence >= next) found.push({ sequence, record })
        })
        next = Math.max(next, frame.first + frame.count)
        yield* found
      }
      frames = await scanner.read(segment.size)
    }
    scan.invalidBytes = scanner.invalidBytes
  } finally {
    await file.close()
  }
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return await nodeDisk.list(folder)
  } catch (error) {
    throw diskError(error)
  }
}

/** Nothing is made safe here, so nothing is written. */
function readContext(folder: string, cipher: FrameCipher | undefined): LogContext {
  return { disk: nodeDisk, folder, clock: systemClock, fsync: 'never', segmentBytes: 0, cipher }
}
