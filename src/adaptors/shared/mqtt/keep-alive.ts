import type { Clock, Timer } from '../../../contract/index.ts'

/*
 * Keeps the link alive and notices when it is not (MQTT 5, section 3.1.2.10).
 *
 * Twice in each keep-alive interval it looks at the clock. When nothing was sent or nothing was received since the last
 * look, it sends PINGREQ. The link is dead when a ping was sent, half an interval has passed, and not one byte came;
 * or when bytes come and the answer does not for two intervals. So a hung broker is noticed within one and a half intervals.
 *
 * The timer is its own: no handler and no publish can delay a ping, but for a program that blocks the event loop. After
 * such a pause the answer may lie unread in the socket; so the verdict waits for one round of reading.
 *
 * While the socket is paused no answer can be read: pings go out, and nobody waits for an answer.
 */

/** What the keep-alive looks at. */
export interface KeepAliveView {
  /** When the last byte was handed to the socket, in monotonic milliseconds. */
  lastWriteMs(): number
  /** Whether the socket is paused. */
  paused(): boolean
}

/** The keep-alive of one link. */
export class KeepAlive {
  readonly #lookMs: number
  readonly #clock: Clock
  readonly #view: KeepAliveView
  readonly #ping: () => void
  readonly #dead: () => void
  #timer: Timer | undefined
  #verdict: NodeJS.Immediate | undefined
  #lastReadMs: number
  #pingSentMs: number | undefined

  /** @param seconds - 0: none */
  constructor(seconds: number, clock: Clock, view: KeepAliveView, ping: () => void, dead: () => void) {
    this.#lookMs = seconds * 500
    this.#clock = clock
    this.#view = view
    this.#ping = ping
    this.#dead = dead
    this.#lastReadMs = clock.monotonic()
    if (seconds > 0) this.#arm()
  }

  /** Bytes came. */
  received(): void {
    this.#lastReadMs = this.#clock.monotonic()
  }

  /** PINGRESP came. */
  answered(): void {
    this.#pingSentMs = undefined
  }

  /** Stops. */
  stop(): void {
    this.#timer?.cancel()
    if (this.#verdict !== undefined) clearImmediate(this.#verdict)
    this.#timer = undefined
    this.#verdict = undefined
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#lookMs, () => this.#look())
  }

  #look(): void {
    this.#arm()
    if (this.#isDead()) {
      this.#verdict ??= setImmediate(() => {
        // the first one may come before the socket is looked at, the second one comes after
        this.#verdict = setImmediate(() => {
          this.#verdict = undefined
          if (this.#isDead()) this.#dead()
        })
      })
      return
    }
    const nowMs = this.#clock.monotonic()
    const quiet = nowMs - Math.min(this.#view.lastWriteMs(), this.#lastReadMs) >= this.#lookMs * 0.9
    if (quiet) {
      this.#pingSentMs ??= nowMs
      this.#ping()
    }
  }

  #isDead(): boolean {
    if (this.#view.paused()) {
      this.#pingSentMs = undefined
      return false
    }
    if (this.#pingSentMs === undefined) return false
    const nowMs = this.#clock.monotonic()
    const silentMs = nowMs - Math.max(this.#lastReadMs, this.#pingSentMs)
    return silentMs >= this.#lookMs * 0.9 || nowMs - this.#pingSentMs >= this.#lookMs * 4
  }
}
