import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'

import type { TestBroker } from './broker.ts'

/** How a broker is started. */
export interface BrokerCommand {
  /** For messages. */
  readonly name: string
  /** The program's path. */
  readonly command: string
  /** Its arguments. */
  readonly args: readonly string[]
  /** Its environment. @default that of this process */
  readonly env?: NodeJS.ProcessEnv
  /** The line that says that all ports listen. */
  readonly ready: RegExp
  /** How long that line may take, in milliseconds. @default 10_000 */
  readonly readyTimeoutMs?: number
  /** How long its orderly end may take, in milliseconds. @default 5000 */
  readonly stopTimeoutMs?: number
}

/** A broker as a child process: its log, its signals, its end. It never outlives the process that started it. */
export class BrokerProcess {
  /** All lines since the first start. */
  readonly log: string[] = []
  readonly #command: BrokerCommand
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #killAtExit = () => this.#child?.kill('SIGKILL')
  #child: ChildProcess | undefined

  constructor(command: BrokerCommand) {
    this.#command = command
  }

  /** Process id, 0 while it does not run. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const { command, args, ready, readyTimeoutMs = 10_000, env = process.env } = this.#command
    const from = this.log.length
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#child = child
    process.on('exit', this.#killAtExit)
    const take = (line: string) => {
      this.log.push(line)
      this.#events.emit('change')
    }
    createInterface({ input: child.stdout }).on('line', take)
    createInterface({ input: child.stderr }).on('line', take)
    child.once('error', (error) => take(`Cannot start ${command}: ${error.message}`))
    child.once('close', () => {
      process.off('exit', this.#killAtExit)
      if (this.#child === child) this.#child = undefined
      this.#events.emit('change')
    })
    try {
      await this.waitForLog(ready, { from, timeoutMs: readyTimeoutMs })
    } catch (error) {
      await this.kill()
      throw error
    }
  }

  /** See `TestBroker.waitForLog()`. */
  async waitForLog(pattern: RegExp, options: { from?: number; timeoutMs?: number } = {}): Promise<string> {
    const { from = 0, timeoutMs = 10_000 } = options
    const deadline = AbortSignal.timeout(timeoutMs)
    for (let next = from; ;) {
      for (; next < this.log.length; next += 1) {
        const line = this.log[next] ?? ''
        if (pattern.test(line)) return line
      }
      if (this.#child === undefined) throw this.#failure(`ended before its log had ${pattern}`)
      try {
        await once(this.#events, 'change', { signal: deadline })
      } catch {
        throw this.#failure(`had no ${pattern} in its log within ${timeoutMs} ms`)
      }
    }
  }

  /** Asks it to end, and insists after `stopTimeoutMs`. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const insist = setTimeout(() => child.kill('SIGKILL'), this.#command.stopTimeoutMs ?? 5000)
    // a halted process takes SIGTERM only when it goes on
    child.kill('SIGTERM')
    child.kill('SIGCONT')
    await this.#ended(child)
    clearTimeout(insist)
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.kill('SIGKILL')
    await this.#ended(child)
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    if (this.#child?.kill(name) !== true) throw this.#failure(`does not run, so it takes no ${name}`)
  }

  async #ended(child: ChildProcess): Promise<void> {
    while (this.#child === child) await once(this.#events, 'change')
  }

  #failure(what: string): Error {
    const end = this.log.slice(-20).join('\n  ')
    return new Error(`The broker ${this.#command.name} ${what}; its log ends with:\n  ${end}`)
  }
}

/** What a test does with any broker that runs in a process: the part of `TestBroker` that is the same for all. */
export function controlsOf(
  server: BrokerProcess,
  stop: () => Promise<void>,
): Omit<
  TestBroker,
  'name' | 'acknowledgedSurvivesKill' | 'acknowledgedSurvivesRestart' | 'pki' | 'pid' | 'log' | 'port' | 'url'
> {
  return {
    waitForLog: (pattern, limits) => server.waitForLog(pattern, limits),
    stop,
    shutDown: () => server.stop(),
    kill: () => server.kill(),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async restart() {
      await server.stop()
      await server.start()
    },
    [Symbol.asyncDispose]: stop,
  }
}
