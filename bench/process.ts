import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'

import { z } from 'zod'

import { AsyncQueue } from '../src/kit/async-queue.ts'

/** A round that takes longer is given up: something is broken. */
const ROUND_MS = 120_000

/** How the figures of a round look. */
export const figuresSchema = z.object({
  messagesPerSecond: z.number(),
  cpuMicros: z.number(),
  rssBytes: z.number(),
})
/** What one round took. CPU in microseconds a message: user and system together, of all threads of the process. */
export type Figures = z.output<typeof figuresSchema>

/** A process that is measured round by round: it says `ready` (or what keeps it), then the figures of each round. */
export class RoundProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #messages = new AsyncQueue<unknown>()
  /** What it said first. */
  first: unknown

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message) => this.#messages.push(message))
    child.on('exit', (code) => {
      this.#messages.end(new Error(`a process of the benchmark ended with code ${code}`))
    })
  }

  /** Starts a program, and waits for its first word. `nodeOptions` are flags for Node itself. */
  static async start(
    program: string,
    args: readonly string[],
    nodeOptions: readonly string[],
  ): Promise<RoundProcess> {
    const started = new RoundProcess(fork(program, args, { execArgv: [...nodeOptions] }))
    started.first = await started.next()
    return started
  }

  /** Lets it begin one round. */
  go(command = 'go'): void {
    this.#child.send(command)
  }

  /** The figures of the round that ends next. */
  async figures(): Promise<Figures> {
    return figuresSchema.parse(await this.next())
  }

  /** What it says next; it is ended when it says nothing for `patienceMs` milliseconds. */
  async next(patienceMs = ROUND_MS): Promise<unknown> {
    const timer = setTimeout(() => this.#child.kill(), patienceMs)
    try {
      return (await this.#messages.next()).value
    } finally {
      clearTimeout(timer)
    }
  }

  /** Lets it disconnect, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}
