import type { Adaptor, Clock, CredentialsSource, Link, Status } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { backoff } from '../kit/backoff.ts'
import { deferred } from '../kit/deferred.ts'
import type { Failure } from './failure.ts'
import { credentialsFailure, linkFailure } from './failure.ts'
import { settledWithin } from './settled-within.ts'

/*
 * The one owner of dialling.
 *
 *            ┌────────── time is up, or retryNow() ───────────┐
 *            ▼                                                │
 *   ──▶ connecting ──── dial failed ────▶ waiting (an outage: full-jitter backoff)
 *            │                            refused (settings: every 60 s)
 *            │ the broker accepted                            ▲
 *            ▼                                                │
 *        connected ───── link ended ────▶ lost ───────────────┘
 *
 *   close() leads from anywhere to closed, and nothing follows.
 *
 * Invariants
 * - One loop runs from open() to close(); it is always in one wait (a dial, a link's end, a pause), and close() ends each.
 * - At most one link at a time; a link that was made is closed here, also one that comes after its dial was given up.
 * - A dial that failed, or a link that did not live for STEADY_MS, makes the next pause longer. Only a link that lived
 *   so long begins anew: one that dies at once is no success, so it is never dialled in a hot loop.
 * - After a failed dial the pause is at most a small share of the outage so far: a broker that was away for a short time is
 *   found again soon, and one that was away for long is not crowded by its fleet.
 * - It never gives up. `maxRetries` is only reported.
 */

/** How long a link must live for the backoff to begin anew. */
const STEADY_MS = 10_000

/** The pause after a failed dial is at most this share of the outage so far, ... */
const OUTAGE_SHARE = 1 / 20
/** ... or so many milliseconds, which is more for the first 20 s, and never less than the shortest limit of the pauses. */
const SHORT_PAUSE_MS = 1000

/** How long close() waits for a link or a dial to end; longer than the 5 s that the contract gives a link. */
const CLOSE_GRACE_MS = 6000

/** The status before the first dial. */
export const FIRST_STATUS: Status = Object.freeze({ state: 'connecting', attempt: 1 })

/** What a supervisor needs. */
export interface SupervisorParts<O> {
  /** The protocol. */
  readonly adaptor: Adaptor<O>
  /** What its `options()` gave. */
  readonly options: O
  /** Called at every dial. */
  readonly credentials: CredentialsSource
  /** Time and timers. */
  readonly clock: Clock
  /** Dice for the backoff. */
  readonly random: () => number
  /** Limits of the pauses in an outage, in milliseconds. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number }
  /** The pause after a refusal, in milliseconds. */
  readonly refusedRetryMs: number
  /** How long a dial may take, in milliseconds. */
  readonly dialTimeoutMs: number
  /** After how many failed dials the status says `limitReached`. */
  readonly maxRetries: number | undefined
  /** Told of every change. */
  readonly onStatus: (status: Status) => void
  /** Told of a link before its status is. */
  readonly onLink: (link: Link) => void
  /** Told that the link is gone before its status is. */
  readonly onLinkGone: () => void
}

/** Dials, watches the link, and dials again, until it is closed. */
export class Supervisor<O> {
  readonly #parts: SupervisorParts<O>
  #link: Link | undefined
  #loop: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #dialAbort: AbortController | undefined
  #interrupt: (() => void) | undefined
  #retryWanted = false
  #attempt = 0
  /** The limits of the pauses: each lasts from nothing up to that. */
  #ceilings: Generator<number, never>
  /** Since when there has been no steady link, by the monotonic clock. */
  #outageSinceMs: number

  /** Nothing happens before `open()`. */
  constructor(parts: SupervisorParts<O>) {
    this.#parts = parts
    this.#ceilings = this.#freshCeilings()
    this.#outageSinceMs = parts.clock.monotonic()
  }

  /** The link that is up. */
  get link(): Link | undefined {
    return this.#link
  }

  /** Starts dialling. Twice is fine; after `close()` it does nothing. */
  open(): void {
    if (this.#closing !== undefined || this.#loop !== undefined) return
    this.#outageSinceMs = this.#parts.clock.monotonic()
    this.#loop = this.#run()
  }

  /** Ends the pause at once. While a dial is under way: should that one fail, the next follows without a pause. */
  retryNow(): void {
    if (this.#loop === undefined || this.#link !== undefined) return
    if (this.#interrupt === undefined) this.#retryWanted = true
    else this.#interrupt()
  }

  /** Ends everything: see the contract of a link's `close()`. Twice is fine. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      const closed = deferred()
      this.#closing = closed.promise
      void this.#shut().then(closed.resolve)
    }
    return this.#closing
  }

  async #shut(): Promise<void> {
    const { clock, onStatus } = this.#parts
    onStatus({ state: 'closed' })
    this.#dialAbort?.abort(closedError())
    if (this.#link !== undefined) await settledWithin(clock, CLOSE_GRACE_MS, this.#link.close())
    this.#interrupt?.()
    await this.#loop
  }

  async #run(): Promise<void> {
    while (this.#closing === undefined) {
      const failure = await this.#live()
      if (failure !== undefined) await this.#pause(failure)
    }
  }

  /** One life: dial, link, loss. Gives why it is over, or `undefined` when the connection was closed. */
  async #live(): Promise<EndOfLife | undefined> {
    const { clock, backoff: limits, onStatus, onLink, onLinkGone } = this.#parts
    this.#attempt += 1
    onStatus(this.#attempt === 1 ? FIRST_STATUS : { state: 'connecting', attempt: this.#attempt })
    if (this.#closing !== undefined) return undefined
    const dialled = await this.#dial()
    if ('error' in dialled) {
      const outageMs = clock.monotonic() - this.#outageSinceMs
      const leastMs = Math.max(SHORT_PAUSE_MS, limits.minMs)
      return { ...dialled, longestPauseMs: Math.max(leastMs, outageMs * OUTAGE_SHARE) }
    }
    if (this.#closing !== undefined) {
      await settledWithin(clock, CLOSE_GRACE_MS, dialled.close())
      return undefined
    }
    this.#retryWanted = false
    this.#link = dialled
    const bornMs = clock.monotonic()
    onLink(dialled)
    const { peer, capabilities } = dialled
    onStatus({ state: 'connected', peer, capabilities, sinceMs: clock.now() })
    const reason = await this.#wait<unknown>((end) => {
      dialled.lost.then(end, end)
    })
    this.#link = undefined
    onLinkGone()
    if (this.#closing !== undefined) return undefined
    const diedMs = clock.monotonic()
    if (diedMs - bornMs >= STEADY_MS) {
      this.#attempt = 0
      this.#ceilings = this.#freshCeilings()
      this.#outageSinceMs = diedMs
    }
    const failure = linkFailure(reason)
    onStatus({ state: 'lost', error: failure.error })
    return failure
  }

  /** Dials once, within the time limit. A link that comes too late is closed. */
  async #dial(): Promise<Link | Failure> {
    const { clock, dialTimeoutMs } = this.#parts
    const abort = new AbortController()
    this.#dialAbort = abort
    const timer = clock.after(dialTimeoutMs, () => abort.abort(timeoutError(dialTimeoutMs)))
    const dialling = this.#obtain(abort.signal)
    const gaveUp = new Promise<Failure>((resolve) => {
      const onAbort = () => resolve(linkFailure(abort.signal.reason))
      abort.signal.addEventListener('abort', onAbort, { once: true })
    })
    const outcome = await Promise.race([dialling, gaveUp])
    timer.cancel()
    this.#dialAbort = undefined
    if (!abort.signal.aborted) return outcome
    const left = dialling.then((late) => ('error' in late ? undefined : late.close())).catch(() => undefined)
    if (this.#closing !== undefined) await settledWithin(clock, CLOSE_GRACE_MS, left)
    return linkFailure(abort.signal.reason)
  }

  /** Credentials, then the dial. Never rejects. */
  async #obtain(signal: AbortSignal): Promise<Link | Failure> {
    const { adaptor, options, credentials } = this.#parts
    let request
    try {
      request = { options, ...(await credentials(signal)) }
    } catch (reason) {
      return credentialsFailure(reason)
    }
    if (signal.aborted) return linkFailure(signal.reason)
    try {
      return await adaptor.dial(request, signal)
    } catch (reason) {
      return linkFailure(reason)
    }
  }

  async #pause({ error, refused, longestPauseMs = Infinity }: EndOfLife): Promise<void> {
    const { clock, onStatus, refusedRetryMs, maxRetries, random } = this.#parts
    const skipped = this.#retryWanted || this.#closing !== undefined
    this.#retryWanted = false
    if (skipped) return
    const ceilingMs = refused ? 0 : Math.min(this.#ceilings.next().value, longestPauseMs)
    const delayMs = refused ? refusedRetryMs : Math.round(random() * ceilingMs)
    await this.#wait<void>((end) => {
      const timer = clock.after(delayMs, end)
      const interrupt = this.#interrupt
      this.#interrupt = () => {
        timer.cancel()
        interrupt?.()
      }
      const nextTryAtMs = clock.now() + delayMs
      const attempt = this.#attempt
      const limitReached = maxRetries !== undefined && attempt >= maxRetries
      onStatus(
        refused
          ? { state: 'refused', error, nextTryAtMs }
          : { state: 'waiting', error, attempt, nextTryAtMs, limitReached },
      )
    })
  }

  /** The loop's only wait beside a dial: until `end` is called, or #interrupt. */
  #wait<T>(start: (end: (value: T) => void) => void): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (value?: T) => {
        this.#interrupt = undefined
        resolve(value)
      }
      this.#interrupt = () => end()
      start(end)
    })
  }

  #freshCeilings(): Generator<number, never> {
    const { minMs, maxMs } = this.#parts.backoff
    return backoff(minMs, maxMs, () => 1)
  }
}

/** Why a life is over; after a failed dial with the longest pause that may follow. */
type EndOfLife = Failure & { readonly longestPauseMs?: number }

function timeoutError(dialTimeoutMs: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot connect: the broker did not accept within ${dialTimeoutMs} ms, check the network and the load of the broker`,
  )
}

function closedError(): BackhaulError {
  return new BackhaulError('CLOSED', 'Cannot connect: the connection was closed, open a new one')
}
