import type { Timer } from '../../contract/index.ts'
import type { LogContext } from './segment.ts'

const LOOK_MS = 1000

/** Knows whether enough of the file system is free: it looks every second while something is written. */
export class Space {
  readonly #context: LogContext
  readonly #minFreeBytes: number
  readonly #changed: () => void
  #freeBytes = Infinity
  #usedBytes = 0
  #timer: Timer | undefined
  #closed = false

  /** @param changed - called when there is room again */
  constructor(context: LogContext, minFreeBytes: number, changed: () => void) {
    this.#context = context
    this.#minFreeBytes = minFreeBytes
    this.#changed = changed
    this.look()
  }

  /** Whether so many bytes more leave enough free. */
  hasRoom(bytes: number): boolean {
    if (this.#minFreeBytes === 0) return true
    const fits = this.#freeBytes - this.#usedBytes - bytes >= this.#minFreeBytes
    if (!fits) this.#lookLater()
    return fits
  }

  /** So many bytes are being written. */
  used(bytes: number): void {
    if (this.#minFreeBytes === 0) return
    this.#usedBytes += bytes
    this.#lookLater()
  }

  /** Looks at the file system now. */
  look(): void {
    if (this.#minFreeBytes === 0 || this.#closed) return
    const hadRoom = this.hasRoom(0)
    const counted = this.#usedBytes
    const { disk, folder } = this.#context
    disk.freeBytes(folder).then(
      (freeBytes) => {
        this.#freeBytes = freeBytes
        this.#usedBytes -= counted
        if (this.#closed) return
        if (this.hasRoom(0) && !hadRoom) this.#changed()
      },
      // where the system does not tell, the limit cannot be held: a full disk is found by writing
      () => undefined,
    )
  }

  /** Stops looking. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #lookLater(): void {
    if (this.#closed) return
    this.#timer ??= this.#context.clock.after(
      LOOK_MS,
      () => {
        this.#timer = undefined
        this.look()
      },
      true,
    )
  }
}
