import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

import type { Message } from '../../src/contract/index.ts'
import { Entry } from '../../src/outbox/entry.ts'
import type { Fsync, LogStore } from '../../src/outbox/index.ts'
import { openLogStore } from '../../src/outbox/index.ts'
import { median } from '../median.ts'
import type { OpenPeer } from './peers.ts'
import { peers } from './peers.ts'

// What the durable store costs, beside the limit that the disk sets: a blocking loop of write and fdatasync with the same bytes.
// Run: node build/bench/outbox/log.js [seconds for each cell] [folder]

const seconds = Number(process.argv[2] ?? 0.5)
const root = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'backhaul-bench-'))

interface Cell {
  readonly rate: number
  readonly cpu: number
}

function messages(bytes: number): Message[] {
  const payload = new Uint8Array(bytes)
  return Array.from({ length: 1024 }, (_, n) => ({
    id: `01K0000000000000000000${String(n).padStart(4, '0')}`,
    topic: 'cameras/gate-7/detections',
    payload,
    key: undefined,
    headers: undefined,
  }))
}

async function measured(work: (until: number) => Promise<number> | number): Promise<Cell> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const done = await work(start + seconds * 1000)
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (done * 1000) / elapsed, cpu: (user + system) / done }
}

/** The limit: each batch is written and made safe before the next one. */
function blocking(bytes: number, batch: number): Promise<Cell> {
  const file = join(root, 'blocking')
  const fd = openSync(file, 'w')
  // as many bytes as a record of the log takes
  const buffer = Buffer.alloc(batch * (bytes + 26 + 25 + 12) + 64)
  return measured((until) => {
    let done = 0
    while (performance.now() < until) {
      writeSync(fd, buffer)
      fdatasyncSync(fd)
      done += batch
    }
    return done
  }).finally(() => {
    closeSync(fd)
    rmSync(file)
  })
}

/** `producers` that each append a batch and wait until it is safe; whatever is safe is taken and ended at once. */
async function appending(fsync: Fsync, bytes: number, batch: number, producers: number): Promise<Cell> {
  const folder = join(root, 'log')
  const store = await openLogStore({ folder, fsync })
  store.attach({ changed: () => drain(store), dropped: ignore, neverSafe: ignore })
  const pool = messages(bytes)
  const cell = await measured(async (until) => {
    let done = 0
    const produce = async () => {
      while (performance.now() < until) {
        for (let n = 0; n < batch; n += 1) {
          const message = pool[n]
          if (message !== undefined) store.append(new Entry(message, 2, undefined, undefined))
        }
        await store.safe()
        done += batch
      }
    }
    await Promise.all(Array.from({ length: producers }, produce))
    return done
  })
  await store.close(ignore)
  rmSync(folder, { recursive: true })
  return cell
}

function drain(store: LogStore): void {
  for (let entry = store.take(2); entry !== undefined; entry = store.take(2)) store.remove(entry, 'delivered')
}

function ignore(): void {
  // nothing to do
}

const thousands = (rate: number) => `${(rate / 1000).toFixed(1)} k`
const ROUNDS = 3

/** A peer with one batch after another. */
async function peerAppending(open: OpenPeer, fsync: Fsync, bytes: number, batch: number): Promise<Cell> {
  const peer = open(join(root, 'peer'), fsync)
  const payload = new Uint8Array(bytes)
  const cell = await measured(async (until) => {
    let done = 0
    while (performance.now() < until) {
      await peer.append(payload, batch)
      done += batch
    }
    return done
  })
  await peer.close()
  return cell
}

const openPeers = peers()

/** One row: every engine in turn, round by round; medians, and the ratio to the blocking loop of the same round. */
async function compareRow(fsync: Fsync, bytes: number, batch: number): Promise<void> {
  const engines: [name: string, run: () => Promise<Cell>][] = [
    ['limit', () => blocking(bytes, batch)],
    ['one batch', () => appending(fsync, bytes, batch, 1)],
    ['four', () => appending(fsync, bytes, batch, 4)],
    ...openPeers.map((open, n): [string, () => Promise<Cell>] => [
      ['sqlite', 'lmdb'][n] ?? '',
      () => peerAppending(open, fsync, bytes, batch),
    ]),
  ]
  const cells = engines.map((): Cell[] => [])
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, [, run]] of engines.entries()) cells[index]?.push(await run())
  }
  const text = engines.map(([name], index) => {
    const own = cells[index] ?? []
    const rate = median(own.map((cell) => cell.rate))
    const ratio = median(own.map((cell, round) => cell.rate / (cells[0]?.[round]?.rate ?? NaN)))
    const cpu = median(own.map((cell) => cell.cpu))
    const mb = (rate * bytes) / 1e6
    return `${name} ${thousands(rate)}/s ${mb.toFixed(1)} MB/s ${cpu.toFixed(2)} µs ${ratio.toFixed(2)}x`
  })
  console.log(`${fsync.padEnd(8)} ${bytes} B x ${batch}: ${text.join('; ')}`)
}

async function compareAppends(): Promise<void> {
  console.log(
    'append: messages/s, MB/s, µs of CPU a message, ratio to a blocking loop of write and fdatasync',
  )
  for (const fsync of ['always', 'interval', 'never'] as const) {
    for (const bytes of [200, 1024, 10_240]) {
      for (const batch of [1, 64, 1024]) await compareRow(fsync, bytes, batch)
    }
  }
  const [openSqlite] = openPeers
  const ours: Cell[] = []
  const theirs: Cell[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await appending('always', 200, 1, 1024))
    // SQLite has no producers that wait: its best case is one transaction for all 1,024
    if (openSqlite !== undefined) theirs.push(await peerAppending(openSqlite, 'always', 200, 1024))
  }
  const rate = median(ours.map((cell) => cell.rate))
  const ratio = median(ours.map((cell, round) => cell.rate / (theirs[round]?.rate ?? NaN)))
  const cpu = median(ours.map((cell) => cell.cpu))
  console.log(
    `1,024 producers of single messages, 200 B, always: ${thousands(rate)}/s (${cpu.toFixed(2)} µs), ` +
      (Number.isNaN(ratio)
        ? 'without SQLite beside it'
        : `${ratio.toFixed(2)} times SQLite with one transaction for all of them (goal 2)`),
  )
}

/** Read and end a backlog. */
async function compareReads(): Promise<void> {
  const count = 100_000
  for (const open of openPeers) {
    const peer = open(join(root, 'peer'), 'interval')
    for (let n = 0; n < count; n += 1000) await peer.append(new Uint8Array(200), 1000)
    const start = performance.now()
    let taken = 0
    while (taken < count) taken += await peer.take(500)
    const rate = (taken * 1000) / (performance.now() - start)
    console.log(`read and end, 200 B: ${peer.name} ${thousands(rate)}/s`)
    await peer.close()
  }
}

/** Bytes that reach the disk for each byte of a frame of 64 KiB that is full. */
async function writeAmplification(): Promise<void> {
  const folder = join(root, 'amplification')
  const store = await openLogStore({ folder })
  store.attach({ changed: () => drain(store), dropped: ignore, neverSafe: ignore })
  const before = writtenBytes()
  const [message] = messages(10_240)
  const count = 6 * 500
  for (let n = 0; n < count; n += 1) {
    if (message !== undefined) store.append(new Entry(message, 2, undefined, undefined))
    if (n % 6 === 5) await store.safe()
  }
  const written = (writtenBytes() - before) / (count * 10_240)
  console.log(`write amplification with frames of 64 KB: ${written.toFixed(3)} (goal 1.1)`)
  await store.close(ignore)
  rmSync(folder, { recursive: true })
}

function writtenBytes(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

/** The event loop's delay with 20,000 messages a second, and without any. */
async function compareDelay(): Promise<void> {
  for (const isOn of [false, true]) {
    const folder = join(root, 'delay')
    const store = await openLogStore({ folder })
    store.attach({ changed: () => drain(store), dropped: ignore, neverSafe: ignore })
    const pool = messages(200)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const start = performance.now()
    for (let sent = 0; performance.now() < start + seconds * 3000;) {
      const due = ((performance.now() - start) * 20_000) / 1000
      for (; sent < due; sent += 1) {
        const message = pool[sent % pool.length]
        if (isOn && message !== undefined) store.append(new Entry(message, 2, undefined, undefined))
      }
      await sleep(5)
    }
    delay.disable()
    const ms = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1)
    console.log(
      `event loop delay ${isOn ? 'at 20,000 messages/s' : 'idle'}: p50 ${ms(delay.percentile(50))} ms, p99 ${ms(delay.percentile(99))} ms`,
    )
    await store.close(ignore)
    rmSync(folder, { recursive: true })
  }
}

/** A start with a large backlog: until the first message can be sent, and what it takes to drain. */
async function restart(pending: number): Promise<void> {
  const folder = join(root, 'restart')
  const filling = await openLogStore({ folder, fsync: 'never' })
  filling.attach({ changed: ignore, dropped: ignore, neverSafe: ignore })
  const pool = messages(200)
  for (let n = 0; n < pending; n += 1) {
    const message = pool[n % pool.length]
    if (message !== undefined) filling.append(new Entry(message, 2, undefined, undefined))
    if (n % 20_000 === 0) await filling.safe()
  }
  await filling.safe()
  await filling.close(ignore)
  const rss = process.memoryUsage.rss()
  const start = performance.now()
  const store = await openLogStore({ folder })
  store.attach({ changed: ignore, dropped: ignore, neverSafe: ignore })
  while (store.peek(2) === undefined) await turn()
  const firstMs = performance.now() - start
  const cpu = process.cpuUsage()
  let done = 0
  while (done < pending) {
    const entry = store.take(2)
    if (entry === undefined) await turn()
    else {
      store.remove(entry, 'delivered')
      done += 1
    }
  }
  const { user, system } = process.cpuUsage(cpu)
  const drainMs = performance.now() - start - firstMs
  const grownMb = (process.memoryUsage.rss() - rss) / 1e6
  await sleep(500)
  console.log(
    `start with ${pending} pending: first message after ${firstMs.toFixed(0)} ms; drained at ${thousands((pending * 1000) / drainMs)}/s, ` +
      `${((user + system) / pending).toFixed(2)} µs a message; RSS grew by ${grownMb.toFixed(0)} MB; ${(store.diskBytes / 1e6).toFixed(1)} MB on disk afterwards`,
  )
  await store.close(ignore)
}

try {
  await compareAppends()
  await compareReads()
  await writeAmplification()
  await compareDelay()
  await restart(1_000_000)
  await restart(5_000_000)
} finally {
  rmSync(root, { recursive: true, force: true })
}
