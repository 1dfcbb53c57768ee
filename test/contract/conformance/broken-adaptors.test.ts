import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { Mode } from '../../../src/contract/conformance/index.ts'
import type { MemoryHarness } from '../../adaptors/memory/harness.ts'
import { memoryHarness } from '../../adaptors/memory/harness.ts'
import type { Broken } from './broken-adaptors.ts'
import { BROKEN_MESSAGING } from './broken-adaptors.ts'
import { BROKEN_LINKS, leaked } from './broken-links.ts'
import { BROKEN_STREAMS } from './broken-streams.ts'
import type { Report } from './breaking.ts'
import { collecting } from './breaking.ts'

const BROKEN: readonly Broken[] = [...BROKEN_MESSAGING, ...BROKEN_STREAMS, ...BROKEN_LINKS]
/** Behaviours that all show but those whose fault it is: the suite tells faults apart. */
const CANARIES = [
  'a link narrows the capabilities of its adaptor and never widens them',
  'the peer says who is at the other end',
]

async function runSuite(
  harness: MemoryHarness,
  mode: Mode,
  waitMs: number,
  names?: readonly string[],
): Promise<Report> {
  const { runner, report } = collecting()
  const deadlines = { waitMs, quietMs: 20, closeMs: waitMs }
  conformance(
    { ...harness, deadlines },
    (name, run) => {
      if (names?.includes(name) ?? true) runner(name, run)
    },
    mode,
  )
  const result = await report()
  harness.broker.down()
  return result
}

after(() => {
  for (const timer of leaked) clearTimeout(timer)
})

for (const mode of ['short', 'outage'] as const) {
  test(`the suite finds nothing wrong with a good adaptor (${mode})`, async () => {
    const { failed, errors } = await runSuite(memoryHarness(), mode, 5000)
    assert.deepEqual(failed, [], String([...errors.values()]))
  })
}

function finds({ fault, found, breaking, mode = 'short' }: Broken): void {
  test(`the suite finds an adaptor that ${fault}`, async () => {
    const { failed, errors } = await runSuite(breaking(memoryHarness()), mode, 300, [...found, ...CANARIES])
    assert.deepEqual(failed.toSorted(), found.toSorted(), String([...errors.values()]))
  })
}

// timers are counted for the whole process: whoever leaves one behind is looked at alone
const alone = (broken: Broken) => broken.found.includes('no timer is left after close()')

for (const broken of BROKEN.filter(alone)) finds(broken)
// most of their time is waiting for what does not come
describe('broken adaptors', { concurrency: 16 }, () => {
  for (const broken of BROKEN.filter((broken) => !alone(broken))) finds(broken)
})

test('every behaviour is failed by some broken adaptor', () => {
  const names: string[] = []
  for (const mode of ['short', 'outage'] as const) {
    conformance(memoryHarness(), (name) => names.push(name), mode)
  }
  const found = new Set(BROKEN.flatMap((broken) => broken.found))
  assert.deepEqual(
    names.filter((name) => !found.has(name)),
    [],
  )
  assert.deepEqual(
    [...found].filter((name) => !names.includes(name)),
    [],
  )
})
