import type { Account } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import type { CursorState, Totals } from './cursor.ts'
import { CursorFiles, readCursor } from './cursor.ts'
import { diskError } from './committer.ts'
import type { Disk } from './disk.ts'
import { DeadLog } from './dead-log.ts'
import type { LogName } from './format.ts'
import { parseSegmentFile, SEGMENT_HEADER_BYTES } from './format.ts'
import { checkKeys } from './keys.ts'
import type { Lock } from './lock.ts'
import { lockFolder } from './lock.ts'
import { LogStore } from './log-store.ts'
import { nodeDisk } from './node-disk.ts'
import type { FoundParked } from './parked-log.ts'
import { eachRecord, ParkedLog } from './parked-log.ts'
import type { LogStoreOptions, LogStoreParts } from './parts.ts'
import { recoverLog } from './recovery.ts'
import { codeOf, FrameScanner, isReadOnly } from './scanner.ts'
import { SegmentLog } from './segment-log.ts'
import type { LogContext } from './segment.ts'

/**
 * Opens the store in a folder, which is made where it is missing, and takes up what is in it.
 *
 * @throws BackhaulError `OUTBOX_IN_USE`, `OUTBOX_FAILED`, `KEY_INVALID`
 */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const parts = await openParts(options)
  try {
    const store = new LogStore(parts, options)
    await store.begin()
    return store
  } catch (error) {
    await parts.lock?.release()
    throw diskError(error)
  }
}

/**
 * Takes the folder, and takes up what is in it. Whoever calls it lets the lock go. On a read-only disk there is none: what is there can
 * be read, and `takeFolder()` may be tried again.
 */
export async function openParts(options: LogStoreOptions): Promise<LogStoreParts> {
  const disk = options.disk ?? nodeDisk
  const { folder } = options
  const take = async () => {
    await disk.makeFolder(folder)
    return (options.lock ?? lockFolder)(folder)
  }
  try {
    const lock = await unlessReadOnly(take())
    try {
      const context: LogContext = {
        disk,
        folder,
        clock: options.clock ?? systemClock,
        fsync: options.fsync ?? 'always',
        segmentBytes: options.segmentBytes ?? 16 * 1024 * 1024,
        cipher: options.cipher,
      }
      const files = await filesOf(disk, folder, lock === undefined)
      const found = await recover(context, options, files, lock === undefined)
      const mark = lock === undefined ? await markOf(context) : ''
      return { lock, takeFolder: () => takeLater(context, take, mark), ...found }
    } catch (error) {
      await lock?.release()
      throw error
    }
  } catch (error) {
    throw diskError(error)
  }
}

/** `undefined` on a disk that is read-only. */
async function unlessReadOnly<T>(task: Promise<T>): Promise<T | undefined> {
  try {
    return await task
  } catch (error) {
    if (isReadOnly(error)) return undefined
    throw error
  }
}

async function filesOf(disk: Disk, folder: string, mayBeMissing: boolean): Promise<string[]> {
  try {
    return await disk.list(folder)
  } catch (error) {
    if (mayBeMissing && codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Takes a folder that was read without a lock: nobody may have changed it since. */
async function takeLater(context: LogContext, take: () => Promise<Lock>, mark: string): Promise<Lock> {
  const { disk, folder, fsync } = context
  const lock = await take()
  try {
    if ((await markOf(context)) !== mark) throw changedMeanwhile()
    if (fsync !== 'never') await disk.syncFolder(folder)
    return lock
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Changes with each start of a process that writes. */
async function markOf({ disk, folder }: LogContext): Promise<string> {
  const files = await filesOf(disk, folder, true)
  const { state } = await readCursor(disk, folder, files)
  const segments = files.filter((file) => parseSegmentFile(file) !== undefined)
  return `${state?.generation} ${segments.toSorted().join()}`
}

function changedMeanwhile(): BackhaulError {
  return new BackhaulError(
    'OUTBOX_IN_USE',
    'Cannot write the outbox: another process changed it while its disk was read-only, restart this one',
  )
}

async function recover(
  context: LogContext,
  options: LogStoreOptions,
  files: readonly string[],
  mayNotWrite: boolean,
): Promise<Omit<LogStoreParts, 'lock' | 'takeFolder'>> {
  const { disk, folder } = context
  // a killed process may have made a file whose name is not safe yet
  if (context.fsync !== 'never' && !mayNotWrite) await disk.syncFolder(folder)
  await checkKeys(context, files)
  const { state: cursor, damaged: damagedCursors } = await readCursor(disk, folder, files)
  let lastId = cursor?.lastId
  let damaged = 0
  let invalidBytes = 0
  const open = async (name: LogName) => {
    const found = await recoverLog(name, context, files, cursor?.logs[name], (_name, frame) => {
      eachRecord(context, frame, Infinity, (_sequence, { message: { id } }) => {
        if (id.length === 26 && (lastId === undefined || id > lastId)) lastId = id
      })
    })
    if (name !== 'dead') damaged += found.damaged
    invalidBytes += found.invalidBytes
    return new SegmentLog(name, context, found.state)
  }
  const lanes = [await open('control'), await open('alarm'), await open('telemetry')] as const
  const parkedLog = await open('parked')
  const dead = new DeadLog(await open('dead'), options.maxDeadBytes ?? 16 * 1024 * 1024)
  const parked = await findParked(context, parkedLog, lanes)
  damaged += parked.damaged
  const totals = totalsOf(cursor)
  totals.dropped.damaged += damaged
  const opening = accountOf(totals, lanes, parkedLog)
  return {
    context,
    lanes,
    parkedLog,
    parked: (hooks) => {
      const log = new ParkedLog(parkedLog, context, hooks)
      for (const [position, found] of parked.records) log.restore(position, found)
      return log
    },
    dead,
    cursor: new CursorFiles(disk, folder, context.fsync !== 'never', cursor?.generation ?? 0),
    totals,
    opening,
    lastId,
    report: { pending: opening.pending, damaged, invalidBytes, damagedCursors },
  }
}

/** Reads the whole side log. Where a message lies twice, the later one counts, and the one in its lane is over. */
async function findParked(
  context: LogContext,
  log: SegmentLog,
  lanes: readonly [SegmentLog, SegmentLog, SegmentLog],
): Promise<{ records: Map<number, FoundParked>; damaged: number }> {
  const records = new Map<number, FoundParked>()
  const byOrigin = new Map<string, number>()
  for (const segment of log.segments) {
    const end = log.endOf(segment)
    const file = await context.disk.open(segment.path, 'read')
    try {
      const scanner = new FrameScanner(file, segment.nonce, SEGMENT_HEADER_BYTES)
      for (let frames = await scanner.read(segment.size); frames.length > 0;) {
        for (const frame of frames) {
          eachRecord(context, frame, end, (position, record) => {
            if (log.acked.has(position) || record.origin === undefined) return
            const { origin, message } = record
            const name = `${origin.lane} ${origin.sequence}`
            const earlier = byOrigin.get(name)
            if (earlier !== undefined) {
              records.delete(earlier)
              log.ack(earlier, message.payload.byteLength)
            }
            byOrigin.set(name, position)
            const { topic, payload } = message
            records.set(position, {
              topic,
              origin,
              bytes: payload.byteLength,
              expiresAtMs: record.expiresAtMs,
            })
            const lane = lanes[origin.lane]
            lane.skipTo(origin.sequence)
            lane.ack(origin.sequence, message.payload.byteLength)
          })
        }
        frames = await scanner.read(segment.size)
      }
    } finally {
      await file.close()
    }
  }
  return { records, damaged: endMissing(log, records) }
}

/** What should be there and is not, is lost. */
function endMissing(log: SegmentLog, records: ReadonlyMap<number, FoundParked>): number {
  let damaged = 0
  let at = log.acked.firstMissing(1)
  while (at <= log.safe) {
    if (!records.has(at)) {
      log.ack(at, 0)
      damaged += 1
    }
    at = log.acked.firstMissing(at + 1)
  }
  return damaged
}

function totalsOf(cursor: CursorState | undefined): Totals {
  const none = { full: 0, expired: 0, withdrawn: 0, closed: 0, damaged: 0 }
  const totals = cursor?.totals ?? { delivered: 0, dead: 0, dropped: none, resent: 0 }
  return { ...totals, dropped: { ...none, ...totals.dropped } }
}

/** What was accepted is what came to an end and what is there. */
function accountOf(totals: Totals, lanes: readonly SegmentLog[], parkedLog: SegmentLog): Account {
  const sum = (logs: readonly SegmentLog[], of: (log: SegmentLog) => number) =>
    logs.reduce((total, log) => total + of(log), 0)
  const all = [...lanes, parkedLog]
  const pending = sum(all, (log) => log.pending)
  const dropped = { ...totals.dropped }
  const over = totals.delivered + totals.dead + Object.values(dropped).reduce((total, n) => total + n, 0)
  return {
    accepted: over + pending,
    delivered: totals.delivered,
    pending,
    parked: parkedLog.pending,
    dead: totals.dead,
    dropped,
    pendingBytes: sum(all, (log) => log.pendingBytes),
    resent: totals.resent,
  }
}
