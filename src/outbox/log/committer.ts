import type { Clock, Timer } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import type { Deferred } from '../../kit/deferred.ts'
import { deferred } from '../../kit/deferred.ts'
import { codeOf, isReadOnly } from './scanner.ts'

/*
 * All the writing of a store, in two stages that run side by side, each one thing at a time:
 *
 *   staged ── write ──▶ written ── sync ──▶ safe
 *
 * What is appended while the stages run goes with the next write, so a busy store needs few of them. While a sync runs, only
 * what fills a frame is written: what is less has time to grow, since it could not be synced before anyway.
 *
 * Whoever waits for safety moves along with what was appended before. Now and then the cursor is written: alone, between
 * two rounds. After a failure both stages come to rest, what was not safe is staged again, and a second later it is tried again.
 */

/** What the stages do. */
export interface CommitWork {
  /** Whether something waits to be written. */
  isStaged(): boolean
  /** Writes everything that is staged. */
  write(): Promise<void>
  /** Makes safe what had been written when it was called. */
  makeSafe(): Promise<void>
  /** After a failure of either, while neither runs: what failed is staged again, and the rest is made safe. */
  recover(): Promise<void>
  /** Writes the cursor, and gives back space, while neither runs. */
  saveCursor(): Promise<void>
  /** Those who wait for room or safety may look again. */
  changed(): void
  /** The disk failed, or works again (`undefined`). */
  troubled(error: BackhaulError | undefined): void
}

const RETRY_MS = 1000
/** So much is worth a write of its own while a sync, or who appends, still runs. */
const EARLY_BYTES = 64 * 1024

type Waiters = Deferred<void>[]

/** Runs the two stages. */
export class Committer {
  readonly #work: CommitWork
  readonly #clock: Clock
  readonly #groupMs: number
  readonly #cursorMs: number
  /** Who waits, by how far it has come. */
  #staged: Waiters = []
  #writing: Waiters = []
  #written: Waiters = []
  #syncing: Waiters = []
  #isWriting = false
  #isSyncing = false
  /** Whether something was written since the last sync began. */
  #hasWritten = false
  /** What was appended since the last write began. */
  #bytes = 0
  /** Whether the cursor is written, or a failure dealt with. */
  #isAlone = false
  #failure: BackhaulError | undefined
  #gathering: Timer | undefined
  #hasGathered = false
  #cursorTimer: Timer | undefined
  #cursorDue = false
  #isScheduled = false
  #retry: Timer | undefined
  #resting: Deferred<void> | undefined
  #closed = false

  /**
   * @param groupMs - how long a commit waits for company
   * @param cursorMs - how often the cursor is written while something happens
   */
  constructor(work: CommitWork, clock: Clock, groupMs: number, cursorMs: number) {
    this.#work = work
    this.#clock = clock
    this.#groupMs = groupMs
    this.#cursorMs = cursorMs
  }

  /** Writes both of the cursor's files, before anything else happens. */
  async begin(): Promise<void> {
    this.#isAlone = true
    try {
      await this.#work.saveCursor()
      await this.#work.saveCursor()
    } finally {
      this.#isAlone = false
      this.#advance()
    }
  }

  /** So many bytes were appended: they are committed soon. */
  request(bytes: number): void {
    this.#bytes += bytes
    if (this.#gathering !== undefined || this.#retry !== undefined || this.#closed) return
    if (this.#isWriting) return
    if (this.#groupMs > 0) {
      if (!this.#hasGathered) this.#gather()
      return
    }
    // the rest is appended meanwhile
    if (this.#bytes >= EARLY_BYTES) this.#advance()
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#advance()
    })
  }

  /** Something is over: the cursor is written before long. */
  touch(): void {
    if (this.#cursorTimer !== undefined || this.#cursorDue || this.#closed) return
    this.#cursorTimer = this.#clock.after(
      this.#cursorMs,
      () => {
        this.#cursorTimer = undefined
        this.#cursorDue = true
        this.#advance()
      },
      true,
    )
  }

  /** `undefined` when nothing waits to be safe; else one promise for all that waits. */
  safe(): Promise<void> | undefined {
    if (this.#work.isStaged()) return waiter(this.#staged)
    if (this.#isWriting) return waiter(this.#writing)
    if (this.#hasWritten) return waiter(this.#written)
    return this.#isSyncing ? waiter(this.#syncing) : undefined
  }

  /**
   * Commits what is left and writes the cursor.
   *
   * @returns the error that kept it from being safe
   */
  async close(): Promise<BackhaulError | undefined> {
    this.#closed = true
    for (const timer of [this.#gathering, this.#cursorTimer, this.#retry]) timer?.cancel()
    this.#retry = undefined
    if (this.#isBusy) {
      this.#resting = deferred()
      await this.#resting.promise
    }
    const waiting = this.#takeWaiters()
    try {
      await this.#work.write()
      await this.#work.makeSafe()
      for (const { resolve } of waiting) resolve()
      await this.#work.saveCursor()
      // both files say the same then, and damage of one costs nothing
      await this.#work.saveCursor()
      return undefined
    } catch (error) {
      const failure = diskError(error)
      for (const { reject } of waiting) reject(failure)
      return failure
    }
  }

  get #isBusy(): boolean {
    return this.#isWriting || this.#isSyncing || this.#isAlone
  }

  /** Begins what may begin now. */
  #advance(): void {
    if (this.#isAlone || this.#retry !== undefined) return
    if (this.#failure === undefined && !this.#closed) {
      if (!this.#isWriting && this.#mayWrite()) this.#write()
      // when who waits is still being written, one sync will do for all
      if (!this.#isSyncing && this.#hasWritten && (this.#written.length > 0 || !this.#isWriting)) this.#sync()
    }
    if (this.#isWriting || this.#isSyncing) return
    if (this.#failure !== undefined) void this.#recover(this.#failure)
    else if (this.#cursorDue && !this.#closed) void this.#saveCursor()
    else this.#resting?.resolve()
  }

  #mayWrite(): boolean {
    // the cursor's turn comes when both stages are at rest
    if (this.#cursorDue || !this.#work.isStaged()) return false
    if (this.#groupMs > 0 && !this.#hasGathered) {
      this.#gather()
      return false
    }
    return !this.#isSyncing || this.#bytes >= EARLY_BYTES
  }

  #gather(): void {
    this.#gathering ??= this.#clock.after(this.#groupMs, () => {
      this.#gathering = undefined
      this.#hasGathered = true
      this.#advance()
    })
  }

  #write(): void {
    this.#isWriting = true
    this.#hasGathered = false
    this.#bytes = 0
    this.#writing = this.#staged
    this.#staged = []
    void this.#work.write().then(
      () => {
        this.#isWriting = false
        this.#hasWritten = true
        this.#written.push(...this.#writing)
        this.#writing = []
        this.#advance()
      },
      (error: unknown) => {
        this.#isWriting = false
        this.#fail(error)
      },
    )
  }

  #sync(): void {
    this.#isSyncing = true
    this.#hasWritten = false
    this.#syncing = this.#written
    this.#written = []
    void this.#work.makeSafe().then(
      () => {
        this.#isSyncing = false
        const waiting = this.#syncing
        this.#syncing = []
        if (this.#failure === undefined) this.#work.troubled(undefined)
        for (const { resolve } of waiting) resolve()
        this.#work.changed()
        this.#advance()
      },
      (error: unknown) => {
        this.#isSyncing = false
        this.#fail(error)
      },
    )
  }

  #fail(error: unknown): void {
    this.#failure ??= diskError(error)
    this.#advance()
  }

  async #saveCursor(): Promise<void> {
    this.#isAlone = true
    this.#cursorDue = false
    try {
      await this.#work.saveCursor()
      this.#work.troubled(undefined)
      this.#work.changed()
    } catch (error) {
      this.#cursorDue = true
      this.#failure ??= diskError(error)
    }
    this.#isAlone = false
    this.#advance()
  }

  /** Everyone who waited waits for the next try. */
  async #recover(failure: BackhaulError): Promise<void> {
    this.#isAlone = true
    this.#staged = this.#takeWaiters()
    this.#hasWritten = false
    try {
      await this.#work.recover()
      // on a full disk this is what makes room
      if (this.#cursorDue) await this.#work.saveCursor()
      this.#cursorDue = false
    } catch {
      // the next try tells
    }
    this.#failure = undefined
    this.#isAlone = false
    if (this.#closed) this.#resting?.resolve()
    else {
      this.#retry = this.#clock.after(
        RETRY_MS,
        () => {
          this.#retry = undefined
          this.#advance()
        },
        true,
      )
    }
    this.#work.troubled(failure)
  }

  #takeWaiters(): Waiters {
    const waiting = [...this.#syncing, ...this.#written, ...this.#writing, ...this.#staged]
    this.#syncing = []
    this.#written = []
    this.#writing = []
    this.#staged = []
    return waiting
  }
}

/** The promise of those who wait at a place. */
function waiter(waiters: Waiters): Promise<void> {
  let last = waiters.at(-1)
  if (last === undefined) {
    last = deferred()
    // who does not wait for safety need not know
    last.promise.catch(() => undefined)
    waiters.push(last)
  }
  return last.promise
}

/** What a disk's error means for the outbox. */
export function diskError(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new BackhaulError(
      'OUTBOX_FULL',
      'Cannot write the outbox: the disk is full, make room and it goes on by itself',
      error,
    )
  }
  if (isReadOnly(error)) {
    return new BackhaulError(
      'OUTBOX_FAILED',
      `Cannot write the outbox: the disk or its folder is read-only (${code}), make it writable and it goes on by itself`,
      error,
    )
  }
  return new BackhaulError(
    'OUTBOX_FAILED',
    `Cannot use the outbox: its disk failed (${code ?? 'unknown'}), check the disk; it is tried again every second`,
    error,
  )
}
