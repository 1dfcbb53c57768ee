import type { Account, BackhaulError, Clock, DropReason } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import type { Entry, LaneIndex } from '../entry.ts'
import { LANES } from '../entry.ts'
import type { Dropped, Ending, Store, StoreEvents } from '../store.ts'
import { tellDisk } from '../channels.ts'
import type { FrameCipher } from './cipher.ts'
import type { CommitWork } from './committer.ts'
import { Committer, diskError } from './committer.ts'
import type { Totals } from './cursor.ts'
import { CursorFiles, cursorLog } from './cursor.ts'
import type { DeadLog } from './dead-log.ts'
import { Deferrals } from './deferrals.ts'
import type { Disk } from './disk.ts'
import { LaneReader } from './lane-reader.ts'
import type { Lock } from './lock.ts'
import type { ParkedLog } from './parked-log.ts'
import type { Fsync, LogContext, SegmentLog } from './segment-log.ts'
import { Space } from './space.ts'

/** How a log store is opened. */
export interface LogStoreOptions {
  /** The folder. It belongs to this store alone. */
  readonly folder: string
  /** When writes are made safe. @default 'always' */
  readonly fsync?: Fsync | undefined
  /** With `interval`: how often. @default 100 */
  readonly fsyncIntervalMs?: number | undefined
  /** How long a commit waits for company, in milliseconds. @default 0 */
  readonly groupCommitMs?: number | undefined
  /** A segment ends at about this size. @default 16 MiB */
  readonly segmentBytes?: number | undefined
  /** So much of the file system stays free. @default 0 */
  readonly minFreeBytes?: number | undefined
  /** How many bytes of dead letters are kept: the oldest go. @default 16 MiB */
  readonly maxDeadBytes?: number | undefined
  /** Encrypts what is written. @default plain */
  readonly cipher?: FrameCipher | undefined
  /** Time. @default the machine's */
  readonly clock?: Clock | undefined
  /** The disk. @default the machine's */
  readonly disk?: Disk | undefined
  /** Keeps other writers away. @default by a socket in the folder */
  readonly lock?: ((folder: string) => Promise<Lock>) | undefined
}

/** What was found when a store was opened. */
export interface RecoveryReport {
  /** Messages that are pending. */
  readonly pending: number
  /** Messages that were safe, and are lost. */
  readonly damaged: number
  /** Bytes that belong to no valid frame: what a crash left behind. */
  readonly invalidBytes: number
  /** Cursor files that could not be read. */
  readonly damagedCursors: readonly string[]
}

/** What `openLogStore()` found and made. */
export interface LogStoreParts {
  /** What all logs share. */
  readonly context: LogContext
  /** The lanes. */
  readonly lanes: readonly [SegmentLog, SegmentLog, SegmentLog]
  /** The side log. */
  readonly parkedLog: SegmentLog
  /** What is parked. */
  readonly parked: (hooks: ConstructorParameters<typeof ParkedLog>[2]) => ParkedLog
  /** The dead letters. */
  readonly dead: DeadLog
  /** The cursor. */
  readonly cursor: CursorFiles
  /** The counts. */
  readonly totals: Totals
  /** The account. */
  readonly opening: Account
  /** The greatest id so far. */
  readonly lastId: string | undefined
  /** Keeps other writers away. */
  readonly lock: Lock
  /** What was found. */
  readonly report: RecoveryReport
}

const CURSOR_MS = 100
/** More than this waits to be written only when the disk cannot keep up: then there is no room. */
const MAX_UNSAFE_BYTES = 32 * 1024 * 1024

/** Keeps messages in append-only logs on disk: see format.ts for the files, and recovery.ts for the start. */
export class LogStore implements Store {
  /** What is pending stays. */
  readonly durable = true
  /** How the account stood when the store was opened. */
  readonly opening: Account
  /** What was found when the store was opened. */
  readonly report: RecoveryReport
  readonly #parts: LogStoreParts
  readonly #logs: readonly SegmentLog[]
  readonly #parked: ParkedLog
  readonly #readers: readonly [LaneReader, LaneReader, LaneReader]
  readonly #deferrals: Deferrals
  readonly #committer: Committer
  readonly #space: Space
  readonly #unsafe: Entry[] = []
  #unsafeBytes = 0
  #events: StoreEvents | undefined
  #problem: BackhaulError | undefined
  #lastId: string | undefined
  #closing: Promise<void> | undefined

  /** Use `openLogStore()`. */
  constructor(parts: LogStoreParts, options: LogStoreOptions) {
    const { context, lanes, parkedLog, dead } = parts
    this.#parts = parts
    this.opening = parts.opening
    this.report = parts.report
    this.#lastId = parts.lastId
    this.#logs = [...lanes, parkedLog, dead.log]
    this.#deferrals = new Deferrals(parkedLog, dead.log, parts.totals)
    this.#parked = parts.parked({
      changed: () => this.#events?.changed(),
      lost: (entry, bytes) => this.#lost(entry.lane, 1, bytes, entry),
      failed: (error) => tellDisk(diskError(error)),
      after: (position, log, lane, sequence, bytes) =>
        this.#deferrals.add(parkedLog, position, log === 'lane' ? lanes[lane] : parkedLog, sequence, bytes),
    })
    this.#readers = [this.#reader(0), this.#reader(1), this.#reader(2)]
    this.#space = new Space(context, options.minFreeBytes ?? 0, () => this.#events?.changed())
    const { fsync, clock } = context
    const cursorMs = fsync === 'interval' ? (options.fsyncIntervalMs ?? CURSOR_MS) : CURSOR_MS
    this.#committer = new Committer(this.#work(), clock, options.groupCommitMs ?? 0, cursorMs)
  }

  /** The greatest id that was given out: later ones follow it. */
  get lastId(): string | undefined {
    return this.#lastId
  }

  /** Why nothing can be written now; `undefined` when all is well. */
  get problem(): BackhaulError | undefined {
    return this.#problem
  }

  /** Bytes in the files of the store. */
  get diskBytes(): number {
    return this.#logs.reduce((sum, { diskBytes }) => sum + diskBytes, 0)
  }

  /** How many messages are parked now. */
  get parked(): number {
    return this.#parked.count
  }

  /** Their payload bytes. */
  get parkedBytes(): number {
    return this.#parked.bytes
  }

  /** Names the one that is told. */
  attach(events: StoreEvents): void {
    this.#events = events
  }

  /** Whether the disk takes more now. */
  hasRoom(bytes: number): boolean {
    if (this.#problem !== undefined || this.#closing !== undefined) return false
    if (this.#unsafeBytes > 0 && this.#unsafeBytes + bytes > MAX_UNSAFE_BYTES) return false
    return this.#space.hasRoom(bytes)
  }

  /** Adds a message at the end of its lane. */
  append(entry: Entry): void {
    const { message, expiry, lane, bytes } = entry
    const extras = expiry === undefined ? undefined : { expiresAtMs: expiry.atMs }
    entry.sequence = this.#parts.lanes[lane].append(message, extras)
    this.#unsafe.push(entry)
    this.#unsafeBytes += bytes
    this.#space.used(bytes)
    if (isUlid(message.id) && (this.#lastId === undefined || message.id > this.#lastId)) {
      this.#lastId = message.id
    }
    this.#committer.request()
  }

  /** One promise for all that is not safe yet. */
  safe(): Promise<void> | undefined {
    return this.#committer.safe()
  }

  /** The first entry of a lane. */
  peek(lane: LaneIndex): Entry | undefined {
    return this.#readers[lane].peek()
  }

  /** Takes it. */
  take(lane: LaneIndex): Entry | undefined {
    return this.#readers[lane].take()
  }

  /** Ends an entry that was taken. */
  remove(entry: Entry, ending: Ending, error?: BackhaulError): void {
    if (ending === 'dead') {
      this.#bury(entry, error)
      return
    }
    if (!this.#parked.end(entry)) this.#parts.lanes[entry.lane].ack(entry.sequence, entry.bytes)
    this.#count(ending, 1)
    this.#committer.touch()
  }

  /** Takes note of what the account shows. */
  note(what: 'turnedAway' | 'resent', messages: number): void {
    const { totals } = this.#parts
    if (what === 'resent') totals.resent += messages
    else totals.dropped.full += messages
    this.#committer.touch()
  }

  /** Moves an entry that was taken to the side log. */
  park(entry: Entry): void {
    this.#parked.park(entry)
    this.#committer.request()
  }

  /** The topics with something parked in a lane. */
  parkedTopics(lane: LaneIndex): Iterable<string> {
    return this.#parked.topics(lane)
  }

  /** How many messages of a topic are parked in a lane. */
  parkedCount(lane: LaneIndex, topic: string): number {
    return this.#parked.countOf(lane, topic)
  }

  /** The first parked entry of a topic. */
  peekParked(lane: LaneIndex, topic: string): Entry | undefined {
    return this.#parked.peek(lane, topic)
  }

  /** Takes it. */
  takeParked(lane: LaneIndex, topic: string): Entry | undefined {
    return this.#parked.take(lane, topic)
  }

  /** Drops the first message of the topic that has been parked longest. */
  dropParked(lane: LaneIndex, dropped: Dropped): boolean {
    return this.#parked.drop(lane, this.#counting('full', dropped))
  }

  /** Drops the first message of the lane, or all that one file holds when it is not in memory. */
  dropOldest(lane: LaneIndex, dropped: Dropped): boolean {
    return this.#readers[lane].dropOldest(this.#counting('full', dropped))
  }

  /** Drops what has expired or was withdrawn among what is in memory. */
  sweep(lane: LaneIndex, monotonicMs: number, dropped: Dropped): number {
    const counting: Dropped = (messages, bytes, entry) => {
      const reason = entry?.ticket?.withdrawn === true ? 'withdrawn' : 'expired'
      this.#counting(reason, dropped)(messages, bytes, entry)
    }
    const waiting = this.#readers[lane].sweep(monotonicMs, counting)
    return Math.min(waiting, this.#parked.sweep(lane, monotonicMs, counting))
  }

  /** Writes what is left, and ends the store. What could not be made safe was never accepted. */
  close(
    dropped: (lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined) => void,
  ): Promise<void> {
    this.#closing ??= this.#close(dropped)
    return this.#closing
  }

  async #close(
    dropped: (lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined) => void,
  ): Promise<void> {
    this.#space.close()
    const failure = await this.#committer.close()
    if (failure !== undefined && this.#unsafe.length > 0) {
      this.#events?.neverSafe(this.#unsafe.length, this.#unsafeBytes)
    }
    const left = [...this.#unsafe, ...(await this.#parked.close())]
    for (const reader of this.#readers) left.push(...(await reader.close()))
    for (const log of this.#logs) await log.close()
    await this.#parts.cursor.close()
    await this.#parts.lock.release()
    for (const entry of left) if (entry.settled !== undefined) dropped(entry.lane, 0, 0, entry)
  }

  #reader(lane: LaneIndex): LaneReader {
    return new LaneReader(this.#parts.lanes[lane], lane, this.#parts.context, {
      lost: (messages, bytes, entry) => this.#lost(lane, messages, bytes, entry),
      changed: () => this.#events?.changed(),
      failed: (error) => tellDisk(diskError(error)),
    })
  }

  #work(): CommitWork {
    return {
      isStaged: () => this.#logs.some(({ isStaged }) => isStaged),
      commit: () => this.#commit(),
      saveCursor: () => this.#saveCursor(),
      changed: () => this.#events?.changed(),
      troubled: (error) => this.#troubled(error),
    }
  }

  async #commit(): Promise<void> {
    const results = await Promise.allSettled(this.#logs.map((log) => log.commit()))
    if (this.#deferrals.settle()) this.#committer.touch()
    let kept = 0
    for (const entry of this.#unsafe) {
      if (entry.sequence <= this.#parts.lanes[entry.lane].safe) {
        this.#unsafeBytes -= entry.bytes
        this.#readers[entry.lane].offer(entry)
      } else {
        this.#unsafe[kept] = entry
        kept += 1
      }
    }
    this.#unsafe.length = kept
    this.#committer.touch()
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #saveCursor(): Promise<void> {
    const { lanes, parkedLog, dead, cursor, totals, context } = this.#parts
    this.#settleBytes()
    const state = {
      totals: { ...totals, dropped: { ...totals.dropped } },
      lastId: this.#lastId,
      logs: {
        control: cursorLog(lanes[0]),
        alarm: cursorLog(lanes[1]),
        telemetry: cursorLog(lanes[2]),
        parked: cursorLog(parkedLog),
        dead: cursorLog(dead.log),
      },
    }
    if (context.fsync !== 'never') for (const log of this.#logs) await log.sync()
    await cursor.write(state)
    let removed = false
    let more = false
    for (const log of this.#logs) {
      const [latest, before] = cursor.written(log.name)
      const reclaimed = await log.reclaim(latest, before)
      removed ||= reclaimed.removed
      more ||= reclaimed.more
    }
    if (removed) {
      await context.disk.syncFolder(context.folder)
      this.#space.look()
    }
    await this.#parked.compact()
    dead.trim()
    if (more) this.#committer.touch()
  }

  /** Where damage took messages whose size is not known, the sum is right again when nothing is pending. */
  #settleBytes(): void {
    for (const lane of LANES) {
      const bytes = this.#parts.lanes[lane].settleBytes()
      if (bytes !== 0) this.#events?.dropped(lane, 'damaged', 0, bytes, undefined)
    }
  }

  /** A dead letter is over in its lane once its copy is safe. */
  #bury(entry: Entry, error: BackhaulError | undefined): void {
    const { lanes, parkedLog, dead, context } = this.#parts
    const place = dead.append(entry, error, context.clock.now())
    const parkedAt = this.#parked.forget(entry)
    const from = parkedAt === undefined ? lanes[entry.lane] : parkedLog
    this.#deferrals.add(dead.log, place, from, parkedAt ?? entry.sequence, entry.bytes)
    this.#committer.request()
  }

  #lost(lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined): void {
    this.#parts.totals.dropped.damaged += messages
    this.#events?.dropped(lane, 'damaged', messages, bytes, entry)
    this.#committer.touch()
  }

  #counting(reason: DropReason, dropped: Dropped): Dropped {
    return (messages, bytes, entry) => {
      this.#count(reason, messages)
      this.#committer.touch()
      dropped(messages, bytes, entry)
    }
  }

  #count(ending: Exclude<Ending, 'dead'>, messages: number): void {
    const { totals } = this.#parts
    if (ending === 'delivered') totals.delivered += messages
    else totals.dropped[ending] += messages
  }

  #troubled(error: BackhaulError | undefined): void {
    if (error?.code === this.#problem?.code) return
    this.#problem = error
    tellDisk(error)
    this.#events?.changed()
  }
}

/** Opens with the machine's clock where none is given. */
export function clockOf(options: LogStoreOptions): Clock {
  return options.clock ?? systemClock
}

function isUlid(id: string): boolean {
  return id.length === 26 && id >= '0' && id <= '7ZZZZZZZZZZZZZZZZZZZZZZZZZ' && /^[0-9A-HJKMNP-TV-Z]+$/.test(id)
}
