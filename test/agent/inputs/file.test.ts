import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { fileInput } from '../../../src/agent/inputs/file.ts'
import { systemClock } from '../../../src/kit/system-clock.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Collector, started } from './collect.ts'

async function fileWith(t: TestContext, content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'events.jsonl')
  await writeFile(path, content)
  return path
}

function at(second: number): string {
  return JSON.stringify({ timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString() })
}

/** Moves the clock to its next timer each time one is set, and tells the waits in milliseconds. */
async function waits(clock: ManualClock, count: number): Promise<number[]> {
  const seen: number[] = []
  for (let turns = 0; seen.length < count && turns < 100_000; turns += 1) {
    const { nextMs } = clock
    if (nextMs === undefined) {
      await new Promise((resolve) => setImmediate(resolve))
      continue
    }
    seen.push(nextMs)
    clock.advance(nextMs)
  }
  return seen
}

test('fileInput() gives the lines as fast as they are taken and ends at the end of the file', async (t) => {
  const path = await fileWith(t, 'one\ntwo\n\nthree')
  const sink = new Collector()
  const input = fileInput({ path, replay: 'asap', repeat: false }, systemClock)
  await started(input, sink).ended
  assert.deepEqual(sink.lines, ['one', 'two', '', 'three'])
  assert.equal(input.finite, true)
})

test('fileInput() keeps the distances of timestamps, bounds a wrong one, and does not wait back', async (t) => {
  const path = await fileWith(t, [at(0), at(2), 'no json', at(1), at(4), at(1_000_000), ''].join('\n'))
  const sink = new Collector()
  const clock = new ManualClock()
  const { ended } = started(fileInput({ path, replay: 'realtime', repeat: false }, clock), sink)
  assert.deepEqual(await waits(clock, 3), [2000, 3000, 60_000])
  await ended
  assert.equal(sink.lines.length, 6)
})

test('fileInput() begins again after the last gap, until it is stopped', async (t) => {
  const path = await fileWith(t, [at(0), at(3)].join('\n'))
  const sink = new Collector()
  const clock = new ManualClock()
  const input = fileInput({ path, replay: 'realtime', repeat: true }, clock)
  const { stop } = started(input, sink)
  assert.deepEqual(await waits(clock, 4), [3000, 3000, 3000, 3000])
  await sink.until(5)
  await stop()
  assert.deepEqual(sink.lines.slice(0, 4), [at(0), at(3), at(0), at(3)])
  assert.equal(input.finite, false)
  assert.equal(clock.timers, 0)
})

test('fileInput() does not read on while its lines are not taken', async (t) => {
  const path = await fileWith(t, 'x\n'.repeat(100_000))
  const sink = new Collector()
  sink.hold()
  const { stop } = started(fileInput({ path, replay: 'asap', repeat: false }, systemClock), sink)
  await sink.until(1)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(sink.lines.length, 1)
  const stopped = stop()
  sink.release()
  await stopped
})

test('fileInput() says what is wrong with its file', async () => {
  const missing = fileInput({ path: '/nowhere/x.jsonl', replay: 'asap', repeat: false }, systemClock)
  await assert.rejects(started(missing, new Collector()).ended, {
    code: 'INPUT_FAILED',
    message: 'Cannot read "/nowhere/x.jsonl": there is no such file, check the path',
  })
  const folder = fileInput({ path: tmpdir(), replay: 'asap', repeat: true }, systemClock)
  await assert.rejects(started(folder, new Collector()).ended, {
    code: 'INPUT_FAILED',
    message: /it is a folder/,
  })
})
