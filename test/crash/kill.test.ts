import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { connect } from '../../src/client/index.ts'
import { startMosquitto } from '../brokers/index.ts'

/** `npm run test:stress` asks for more. */
const CYCLES = Number(process.env['KILL_CYCLES'] ?? 100)
const WRITER = fileURLToPath(new URL('writer.js', import.meta.url))

/** What the broker gave out: the oracle. */
class Arrivals {
  readonly first = new Map<number, { readonly id: string; atMs: number; life: number }>()
  /** When each life of the writer ended. */
  readonly kills: number[] = []
  readonly faults: string[] = []
  duplicates = 0
  readonly #last = new Map<string, number>()

  add(topic: string, payload: string, id: string): void {
    const life = this.kills.length
    const n = Number.parseInt(payload, 10)
    if (payload !== `${n} ${'x'.repeat((n * 37) % 3000)}`) this.faults.push(`${n} is altered`)
    const known = this.first.get(n)
    if (known === undefined) {
      this.first.set(n, { id, atMs: performance.now(), life })
      if (n < (this.#last.get(topic) ?? -1)) this.faults.push(`${n} came after ${this.#last.get(topic)}`)
      this.#last.set(topic, n)
      return
    }
    this.duplicates += 1
    if (known.id !== id) this.faults.push(`${n} came as ${known.id} and as ${id}`)
    // the cursor is written every 100 ms: what came long before its writer was killed does not come again
    const beforeKillMs = (this.kills[known.life] ?? known.atMs) - known.atMs
    if (beforeKillMs > 2000)
      this.faults.push(`${n} came again, ${Math.round(beforeKillMs)} ms after it had come`)
    known.atMs = performance.now()
    known.life = life
  }
}

/** The processes that are killed: the next one is loaded and waits while one runs, so that a cycle is short. */
class Writers {
  readonly #args: (first: number, mode: string) => string[]
  #next: ChildProcess | undefined
  #first = 0

  constructor(url: string, folder: string, fsync: string) {
    this.#args = (first, mode) => [WRITER, url, folder, String(first), fsync, mode]
  }

  /** Lets the one that stands ready begin. */
  begin(): ChildProcess {
    const child = this.#next ?? this.#start('send')
    this.#next = this.#start('send')
    child.stdin?.write('go\n')
    return child
  }

  /** Starts one that sends what is left. */
  drain(): ChildProcess {
    const child = this.#start('drain')
    child.stdin?.write('go\n')
    return child
  }

  /** Ends the one that still waits. */
  end(): void {
    this.#next?.kill('SIGKILL')
  }

  #start(mode: string): ChildProcess {
    const args = this.#args(this.#first, mode)
    this.#first += 1_000_000
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // it may be killed before it has read
    child.stdin.on('error', () => undefined)
    return child
  }
}

async function killAgainAndAgain(fsync: string, t: TestContext): Promise<void> {
  await using broker = await startMosquitto({ listeners: ['plain'] })
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-crash-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await using client = await connect(broker.url('plain'))
  const arrivals = new Arrivals()
  await client.subscribe('crash/#', ({ topic, payload, id }) => {
    arrivals.add(topic, Buffer.from(payload).toString(), id ?? '')
  })
  const reported = new Set<number>()
  const writers = new Writers(broker.url('plain'), folder, fsync)
  t.after(() => writers.end())
  for (let cycle = 0; cycle < CYCLES / 2; cycle += 1) {
    await listen(writers.begin(), reported, cycle)
    arrivals.kills.push(performance.now())
  }
  const { stdout } = writers.drain()
  assert.ok(stdout !== null)
  let account = ''
  for await (const line of createInterface({ input: stdout })) account = line
  assert.match(account, /^drained /)
  const deadline = performance.now() + 20_000
  while ([...reported].some((n) => !arrivals.first.has(n)) && performance.now() < deadline) await sleep(50)
  const lost = [...reported].filter((n) => !arrivals.first.has(n))
  assert.deepEqual(lost, [], `of ${reported.size} accepted messages none is lost`)
  assert.deepEqual(arrivals.faults, [])
  assert.ok(reported.size > CYCLES, `${reported.size} messages were accepted`)
  t.diagnostic(`${CYCLES / 2} kills, ${reported.size} accepted, ${arrivals.duplicates} came twice`)
}

/** Takes what a child reports, and kills it: some time after its first report, or now and then while it opens the outbox. */
async function listen(child: ChildProcess, reported: Set<number>, cycle: number): Promise<void> {
  const { stdout } = child
  assert.ok(stdout !== null)
  const ended = once(child, 'exit')
  const kill = (delayMs: number) => void sleep(delayMs).then(() => child.kill('SIGKILL'))
  let isDying = cycle % 5 === 4
  if (isDying) kill((cycle * 7) % 60)
  for await (const line of createInterface({ input: stdout })) {
    if (line.startsWith('open')) continue
    // a different moment each time, spread over a commit and over a cursor write
    if (!isDying) kill((cycle * 53) % 240)
    isDying = true
    reported.add(Number(line))
  }
  const [code, signal] = await ended
  assert.equal(signal, 'SIGKILL', `the writer ended by itself with ${code}`)
}

describe(
  'the outbox loses nothing it accepted when its process is killed again and again',
  { concurrency: true },
  () => {
    for (const fsync of ['always', 'interval'] as const) {
      test(`with fsync ${fsync}`, (t) => killAgainAndAgain(fsync, t))
    }
  },
)
