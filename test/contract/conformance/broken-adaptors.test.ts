import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { Mode } from '../../../src/contract/conformance/index.ts'
import type { MemoryHarness } from '../../adaptors/memory/harness.ts'
import { memoryHarness } from '../../adaptors/memory/harness.ts'
import { BROKEN_MESSAGING } from './broken-adaptors.ts'
import { BROKEN_LINKS, leaked } from './broken-links.ts'
import type { Report } from './breaking.ts'
import { collecting } from './breaking.ts'

/** A behaviour that every one of them shows: the suite tells faults apart. */
const CANARY = 'the peer says who is at the other end'

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

for (const { fault, found, breaking, mode = 'short' } of [...BROKEN_MESSAGING, ...BROKEN_LINKS]) {
  test(`the suite finds an adaptor that ${fault}`, async () => {
    const { failed, errors } = await runSuite(breaking(memoryHarness()), mode, 300, [...found, CANARY])
    assert.deepEqual(failed.toSorted(), found.toSorted(), String([...errors.values()]))
  })
}
