import type { Clock, Timer } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import type { Deferred } from '../../kit/deferred.ts'
import { deferred } from '../../kit/deferred.ts'
import { codeOf } from './scanner.ts'

/*
 * One loop does all the writing of a store, one thing at a time: commits, and now and then the cursor. What is appended while
 * a commit runs goes with the next one, so a busy store needs few of them.
 *
 *   idle ── request() ──▶ gathering, for `groupCommitMs` ──▶ running ──▶ idle, or running again
 *                                                             │ fails
 *                                                             └──▶ troubled ── every second, until it succeeds ──▶ running
 */

/** What the loop does. */
export interface CommitWork {
  /** Whether something waits to be committed. */
  isStaged(): boolean
  /** Writes it. */
  commit(): Promise<void>
  /** Writes the cursor, and gives back space. */
  saveCursor(): Promise<void>
  /** Those who wait for room or safety may look again. */
  changed(): void
  /** The disk failed, or works again (`undefined`). */
  troubled(error: BackhaulError | undefined): void
}

const RETRY_MS = 1000

/** Runs commits, one after another. */
export class Committer {
  readonly #work: CommitWork
  readonly #clock: Clock
  readonly #groupMs: number
  readonly #cursorMs: number
  #commit: Deferred<void> | undefined
  #gathering: Timer | undefined
  #cursorTimer: Timer | undefined
  #cursorDue = false
  #scheduled = false
  #running: Promise<void> | undefined
  #retry: Timer | undefined
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

  /** Something was appended: it is committed soon. */
  request(): void {
    if (this.#running !== undefined || this.#gathering !== undefined || this.#scheduled) return
    if (this.#retry !== undefined || this.#closed) return
    if (this.#groupMs > 0) {
      this.#gathering = this.#clock.after(this.#groupMs, () => {
        this.#gathering = undefined
        this.#run()
      })
      return
    }
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#run()
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
        this.#run()
      },
      true,
    )
  }

  /** `undefined` when nothing waits to be safe; else one promise for all that waits. */
  safe(): Promise<void> | undefined {
    if (!this.#work.isStaged() && this.#commit === undefined) return undefined
    if (this.#commit === undefined) {
      this.#commit = deferred()
      // who does not wait for safety need not know
      this.#commit.promise.catch(() => undefined)
    }
    return this.#commit.promise
  }

  /**
   * Commits what is left and writes the cursor.
   *
   * @returns the error that kept it from being safe
   */
  async close(): Promise<BackhaulError | undefined> {
    this.#closed = true
    for (const timer of [this.#gathering, this.#cursorTimer, this.#retry]) timer?.cancel()
    await this.#running
    const waiting = this.#takeWaiting()
    try {
      await this.#work.commit()
      waiting?.resolve()
      await this.#work.saveCursor()
      // both files say the same then, and damage of one costs nothing
      await this.#work.saveCursor()
      return undefined
    } catch (error) {
      const failure = diskError(error)
      waiting?.reject(failure)
      return failure
    }
  }

  #run(): void {
    if (this.#running !== undefined || this.#closed) return
    this.#retry?.cancel()
    this.#retry = undefined
    this.#running = this.#loop().finally(() => {
      this.#running = undefined
      if (this.#work.isStaged() && this.#retry === undefined) this.request()
    })
  }

  async #loop(): Promise<void> {
    while (!this.#closed && (this.#work.isStaged() || this.#cursorDue)) {
      const failed = (await this.#commitNow()) ?? (await this.#saveCursor())
      this.#work.troubled(failed)
      if (failed !== undefined) {
        if (!this.#closed) this.#retry = this.#clock.after(RETRY_MS, () => this.#retryNow(), true)
        return
      }
      this.#work.changed()
      if (this.#groupMs > 0) return
    }
  }

  /** Commits what is staged; gives the error when that fails. */
  async #commitNow(): Promise<BackhaulError | undefined> {
    if (!this.#work.isStaged()) return undefined
    const waiting = this.#takeWaiting()
    try {
      await this.#work.commit()
    } catch (error) {
      this.#giveBack(waiting)
      // on a full disk this is what makes room
      await this.#saveCursor()
      return diskError(error)
    }
    this.#work.troubled(undefined)
    waiting?.resolve()
    // who asked meanwhile, and added nothing, is served too
    if (!this.#work.isStaged()) this.#takeWaiting()?.resolve()
    if (this.#cursorDue) this.#work.changed()
    return undefined
  }

  #retryNow(): void {
    this.#retry = undefined
    this.#run()
  }

  /** Writes the cursor when it is due; gives the error when that fails. */
  async #saveCursor(): Promise<BackhaulError | undefined> {
    if (!this.#cursorDue) return undefined
    this.#cursorDue = false
    try {
      await this.#work.saveCursor()
      return undefined
    } catch (error) {
      this.#cursorDue = true
      return diskError(error)
    }
  }

  #takeWaiting(): Deferred<void> | undefined {
    const waiting = this.#commit
    this.#commit = undefined
    return waiting
  }

  /** Who waited for a commit that failed waits for the next one. */
  #giveBack(waiting: Deferred<void> | undefined): void {
    const newer = this.#commit
    if (waiting === undefined) return
    this.#commit = waiting
    if (newer !== undefined) void waiting.promise.then(newer.resolve, newer.reject)
  }
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
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
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
