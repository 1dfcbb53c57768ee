import type { Account, BackhaulError, DropReason } from '../../contract/index.ts'
import type { Entry, LaneIndex } from '../entry.ts'
import { LANES } from '../entry.ts'
import type { Dropped, Ending, Store, StoreEvents } from '../store.ts'
import { tellDisk } from '../channels.ts'
import type { CommitWork } from './committer.ts'
import { Committer, diskError } from './committer.ts'
import { cursorLog } from './cursor.ts'
import { Deferrals } from './deferrals.ts'
import { LaneReader } from './lane-reader.ts'
import type { Lock } from './lock.ts'
import type { ParkedLog } from './parked-log.ts'
import type { LogStoreOptions, LogStoreParts, RecoveryReport } from './parts.ts'
import { isReadOnly } from './scanner.ts'
import type { SegmentLog } from './segment-log.ts'
import { Space } from './space.ts'

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
  #lock: Lock | undefined
  #closing: Promise<void> | undefined

  /** Use `openLogStore()`. */
  constructor(parts: LogStoreParts, options: LogStoreOptions) {
    const { context, lanes, parkedLog, dead } = parts
    this.#parts = parts
    this.opening = parts.opening
    this.report = parts.report
    this.#lastId = parts.lastId
    this.#lock = parts.lock
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

  /**
   * Writes the cursor's files, so that they are there when the disk is full.
   *
   * @throws what the disk says, but for a full or a read-only one: then it is tried again
   */
  async begin(): Promise<void> {
    try {
      await this.#committer.begin()
    } catch (error) {
      const problem = diskError(error)
      if (problem.code !== 'OUTBOX_FULL' && this.#lock !== undefined && !isReadOnly(problem.cause))
        throw error
      this.#troubled(problem)
      this.#committer.touch()
    }
  }

  /** The greatest id that was given out: later ones follow it. */
  get lastId(): string | undefined {
    return this.#lastId
  }

  /** Why nothing can be written now; `undefined` when all is well. */
  get problem(): BackhaulError | undefined {
    return this.#problem
  }

  /** Why nothing is taken over now: waiting for room would be in vain. */
  get refusal(): BackhaulError | undefined {
    return isReadOnly(this.#problem?.cause) ? this.#problem : undefined
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
    this.#committer.request(bytes)
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
    this.#committer.request(entry.bytes)
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
    // there may be millions: they do not fit into the arguments of one call
    const left: (readonly Entry[])[] = [this.#unsafe, await this.#parked.close()]
    for (const reader of this.#readers) left.push(await reader.close())
    for (const log of this.#logs) await log.close()
    await this.#parts.cursor.close()
    await this.#lock?.release()
    for (const entry of left.flat()) if (entry.settled !== undefined) dropped(entry.lane, 0, 0, entry)
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
      write: async () => {
        this.#lock ??= await this.#parts.takeFolder()
        await forEach(this.#logs, (log) => log.write())
      },
      makeSafe: () => this.#makeSafe(() => forEach(this.#logs, (log) => log.makeSafe())),
      recover: () => this.#makeSafe(() => forEach(this.#logs, (log) => log.recover())),
      saveCursor: () => this.#saveCursor(),
      changed: () => this.#events?.changed(),
      troubled: (error) => this.#troubled(error),
    }
  }

  async #makeSafe(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } finally {
      this.#offerSafe()
    }
  }

  /** What became safe may be taken. */
  #offerSafe(): void {
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
  }

  async #saveCursor(): Promise<void> {
    const { lanes, parkedLog, dead, cursor, totals, context } = this.#parts
    this.#lock ??= await this.#parts.takeFolder()
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
    if (parkedLog.isStaged) this.#committer.request(0)
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
    this.#committer.request(entry.bytes)
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

/** All of them, even where one fails; then the first error. */
async function forEach(logs: readonly SegmentLog[], work: (log: SegmentLog) => Promise<void>): Promise<void> {
  for (const result of await Promise.allSettled(logs.map((log) => work(log)))) {
    if (result.status === 'rejected') throw result.reason
  }
}

function isUlid(id: string): boolean {
  return (
    id.length === 26 && id >= '0' && id <= '7ZZZZZZZZZZZZZZZZZZZZZZZZZ' && /^[0-9A-HJKMNP-TV-Z]+$/.test(id)
  )
}
