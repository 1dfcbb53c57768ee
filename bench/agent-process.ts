import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))

/** `backhaul run` in a process of its own, connected to its broker. Its memory is what is measured. */
export class AgentProcess implements AsyncDisposable {
  /** Its standard input. */
  readonly stdin: Writable
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>
  readonly #folder: string

  private constructor(child: ChildProcess & { readonly stdin: Writable }, folder: string) {
    this.stdin = child.stdin
    this.#child = child
    this.#gone = once(child, 'exit')
    this.#folder = folder
  }

  /** Starts it with a configuration, and waits until it is connected. Its state lies in a folder of its own. */
  static async start(config: string): Promise<AgentProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'backhaul-bench-'))
    const file = join(folder, 'agent.yml')
    await writeFile(file, config)
    const child = spawn(process.execPath, [CLI, 'run', file], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, BACKHAUL_STATE: join(folder, 'state') },
    })
    const started = new AgentProcess(child, folder)
    try {
      await connected(child.stderr)
      return started
    } catch (error) {
      await started[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Its resident set in bytes, as the kernel counts it. */
  async rss(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Ends it, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#gone
    await rm(this.#folder, { recursive: true })
  }
}

async function connected(log: NodeJS.ReadableStream): Promise<void> {
  const lines: string[] = []
  const reader = createInterface({ input: log })
  for await (const line of reader) {
    lines.push(line)
    if (line.includes('connected')) {
      // what it says later is read, so that it never waits for us
      log.resume()
      return
    }
  }
  throw new Error(`the agent did not connect:\n${lines.join('\n')}`)
}
