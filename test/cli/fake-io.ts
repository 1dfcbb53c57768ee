import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { PassThrough } from 'node:stream'

import type { CliIo } from '../../src/cli/io.ts'
import { runCli } from '../../src/cli/program.ts'

/** The state folders of all such processes lie here, each in its own. */
const STATES = mkdtempSync(join(tmpdir(), 'backhaul-state-'))
process.once('exit', () => rmSync(STATES, { recursive: true, force: true }))

/** A process that a test plays: what the command line sees and writes. */
export class FakeProcess {
  /** What the command reads. */
  readonly stdin = new PassThrough()
  readonly #state = mkdtempSync(join(STATES, 'state-'))
  readonly #stdout = new PassThrough()
  readonly #stderr = new PassThrough()
  readonly #signals = new EventEmitter()
  readonly #written = new EventEmitter()
  #out = ''
  #err = ''

  constructor() {
    this.#stdout.on('data', (chunk: Buffer) => {
      this.#out += chunk.toString('latin1')
      this.#written.emit('text')
    })
    this.#stderr.on('data', (chunk: Buffer) => {
      this.#err += chunk.toString('utf8')
      this.#written.emit('text')
    })
  }

  /** What it has written to stdout, one character a byte. */
  get out(): string {
    return this.#out
  }

  /** What it has written to stderr. */
  get err(): string {
    return this.#err
  }

  /** Runs a command line to its end and gives the exit code. */
  async run(...args: string[]): Promise<number> {
    return runCli(args, this.#io())
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    this.#signals.emit(name)
  }

  /** Breaks stdout off, as a reader does that has gone. */
  closeStdout(): void {
    this.#stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  }

  /** Waits until stdout or stderr holds a text. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#out) && !pattern.test(this.#err)) {
      await once(this.#written, 'text', { signal: AbortSignal.timeout(20_000) }).catch((cause: unknown) => {
        throw new Error(`Cannot find ${pattern}: stdout ${this.#out}, stderr ${this.#err}`, { cause })
      })
    }
  }

  #io(): CliIo {
    return {
      stdin: this.stdin,
      stdout: this.#stdout,
      stderr: this.#stderr,
      env: { BACKHAUL_STATE: this.#state },
      onSignal: (names, listener) => {
        for (const name of names) this.#signals.on(name, listener)
        return () => {
          for (const name of names) this.#signals.off(name, listener)
        }
      },
    }
  }
}

/** Runs a command line to its end with nothing on stdin. */
export async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const process = new FakeProcess()
  process.stdin.end()
  const code = await process.run(...args)
  return { code, out: process.out, err: process.err }
}
