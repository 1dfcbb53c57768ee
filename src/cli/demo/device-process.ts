import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { z } from 'zod'

import { BackhaulError } from '../../contract/index.ts'
import type { PeerFacts } from './cloud-messages.ts'
import { peerSchema } from './cloud-messages.ts'
import type { Watch } from './watch.ts'

const accountSchema = z.object({
  accepted: z.int(),
  delivered: z.int(),
  pending: z.int(),
  dead: z.int(),
  dropped: z.record(z.string(), z.int()),
  resent: z.int(),
})

/** What the demo reads in the agent's log: where it stands, and the health that it writes when asked and at its end. */
const logSchema = z.union([
  z.object({ msg: z.literal('commands are taken') }),
  z.object({ state: z.literal('connected'), connection: z.string(), ...peerSchema.shape }),
  z.object({ state: z.literal('lost'), connection: z.string() }),
  z.object({
    health: z.object({
      connections: z.object({ cloud: z.object({ account: accountSchema }) }),
      inputs: z.object({ camera: z.object({ accepted: z.int() }) }),
    }),
  }),
])

/** The agent's own account. */
export interface DeviceAccount extends z.output<typeof accountSchema> {
  /** Detections that it accepted for sending. */
  readonly detections: number
}

/** The agent: a `backhaul run` process, and what its log has told. */
export class DeviceProcess {
  readonly #child: ChildProcess
  readonly #watch: Watch
  readonly #tail: string[] = []
  #asked = 0
  #told = 0
  /** Its end of the link, each time it was connected. */
  readonly links: PeerFacts[] = []
  /** Whether the broker has granted it its commands. */
  takesCommands = false
  /** How often it lost the link. */
  lost = 0
  /** The account that it gave last. */
  account: DeviceAccount | undefined
  /** Why it cannot go on, or that it ended with another code than 0. */
  failure: BackhaulError | undefined
  /** Its exit code, once it has ended. */
  exitCode: number | undefined

  /** Starts it. */
  constructor(configFile: string, watch: Watch) {
    this.#watch = watch
    const main = fileURLToPath(new URL('../main.js', import.meta.url))
    this.#child = spawn(process.execPath, [main, 'run', configFile, '--drain', '4s'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, BACKHAUL_STATE: join(dirname(configFile), 'state') },
    })
    // should this process end without its end being seen to, the agent must not stay behind
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#child.on('error', (cause) => this.#fail(cause.message))
    this.#child.on('exit', (code, signal) => {
      process.off('exit', kill)
      this.exitCode = code ?? undefined
      if (code !== 0) this.#fail(`it ended with ${code ?? signal}`)
      watch.notify()
    })
    if (this.#child.stderr !== null) {
      createInterface({ input: this.#child.stderr }).on('line', (line) => this.#read(line))
    }
  }

  /** Its process id. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The last lines of its log. */
  get log(): readonly string[] {
    return this.#tail
  }

  /** Asks for its account, and waits for it. */
  async count(signal: AbortSignal): Promise<DeviceAccount | undefined> {
    this.#asked = this.#told + 1
    this.#child.kill('SIGUSR2')
    await this.#watch.until(() => this.#told >= this.#asked, 'the device gives its account', 5000, signal)
    return this.account
  }

  /** Has it finish what it holds and end; resolves when it is gone. Twice is fine. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === undefined) return
    // its output is read to the end, so that the last account is there
    const gone = once(this.#child, 'close')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
    await gone
    clearTimeout(timer)
  }

  #read(line: string): void {
    this.#tail.push(line)
    if (this.#tail.length > 20) this.#tail.shift()
    const entry = logSchema.safeParse(parsed(line)).data
    if (entry === undefined) return
    if ('msg' in entry) {
      this.takesCommands = true
    } else if ('health' in entry) {
      const { connections, inputs } = entry.health
      this.account = {
        ...connections.cloud.account,
        detections: inputs.camera.accepted,
      }
      this.#told += 1
    } else if (entry.state === 'lost') {
      this.lost += 1
    } else {
      this.links.push(entry)
    }
    this.#watch.notify()
  }

  #fail(why: string): void {
    this.failure ??= new BackhaulError('INTERNAL', `Cannot run the device: ${why}, run the demo again`)
    this.#watch.notify()
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
