import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Agent } from '../../src/agent/index.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { startMosquitto, without } from '../brokers/index.ts'
import { detectionLine, startAgent } from './fixture.ts'

/** A small file system for one test; `undefined` where it may not be mounted. */
function smallDisk(t: TestContext): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'backhaul-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    t.skip(`a small file system cannot be mounted: ${String(error)}`)
    return undefined
  }
  t.after(() => {
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Takes all the space there is. */
function fill(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (let size = 64 * 1024; size >= 1; size /= 2) {
      try {
        for (let n = 0; n < 100; n += 1) writeSync(fd, Buffer.alloc(size))
      } catch {
        // half of it may still fit
      }
    }
  } finally {
    closeSync(fd)
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!holds()) {
    assert.ok(performance.now() < deadline, what)
    await sleep(20)
  }
}

const connection = (agent: Agent) => {
  const health = agent.health().connections['cloud']
  assert.ok(health !== undefined)
  return health
}
const isTold = (agent: Agent) => connection(agent).flags.includes('outbox-disk')

const parts = (url: string, path: string) => ({
  connections: { cloud: { url, outbox: { path, minFreeBytes: 0 } } },
  inputs: { camera: { type: 'stdin' } },
  routes: [{ from: 'camera', to: 'cloud', topic: 'cameras/gate', payload: 'json' }],
})

const skip = without('mosquitto') || (process.getuid?.() !== 0 && 'only root may mount a small file system')

test(
  'an agent whose disk is full stays up, shows it in health, and resumes by itself when there is room',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = smallDisk(t)
    if (folder === undefined) return
    await using broker = await startMosquitto({ listeners: ['plain'] })
    const isFull = deferred()
    const stdin = (async function* () {
      yield Buffer.from(`${detectionLine('gate', 0)}\n`)
      await isFull.promise
      for (let n = 1; n <= 200; n += 1) yield Buffer.from(`${detectionLine('gate', n)}\n`)
    })()
    const { agent } = await startAgent(t, parts(broker.url('plain'), join(folder, 'outbox')), { stdin })
    await until(() => connection(agent).account.delivered === 1, 'the first message is delivered')
    fill(join(folder, 'filler'))
    isFull.resolve()
    await until(() => isTold(agent), 'health tells')
    assert.equal(agent.health().status, 'degraded')
    assert.equal(connection(agent).outboxError?.code, 'OUTBOX_FULL')
    rmSync(join(folder, 'filler'))
    await until(() => connection(agent).account.delivered === 201, 'everything is delivered')
    await until(() => !isTold(agent), 'health is well again')
  },
)

test(
  'an agent whose disk is read-only starts, delivers what is there, shows it, and resumes when it can be written',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = smallDisk(t)
    if (folder === undefined) return
    const path = join(folder, 'outbox')
    const lines = Array.from({ length: 20 }, (_, n) => Buffer.from(`${detectionLine('gate', n)}\n`))
    const stdin = (count: number) =>
      (async function* () {
        yield Buffer.concat(lines.slice(0, count))
      })()
    const broker = await startMosquitto({ listeners: ['plain'] })
    const url = broker.url('plain')
    await broker.stop()
    const before = await startAgent(t, parts(url, path), { stdin: stdin(20) })
    await until(() => connection(before.agent).account.accepted === 20, 'the backlog is there')
    await before.agent.stop({ drainTimeoutMs: 0 })
    execFileSync('mount', ['-o', 'remount,ro', folder])
    await using again = await startMosquitto({ listeners: ['plain'] })
    const { agent } = await startAgent(t, parts(again.url('plain'), path), { stdin: stdin(0) })
    assert.ok(isTold(agent))
    assert.equal(connection(agent).outboxError?.code, 'OUTBOX_FAILED')
    assert.match(connection(agent).outboxError?.message ?? '', /read-only/)
    await until(() => connection(agent).account.delivered === 20, 'what is there is delivered')
    execFileSync('mount', ['-o', 'remount,rw', folder])
    await until(() => !isTold(agent), 'health is well again')
  },
)
