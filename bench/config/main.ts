import process from 'node:process'

import { resolveTarget } from '../../src/client/index.ts'
import { lintConfig } from '../../src/config/index.ts'
import type { Mutant } from '../../test/config/mutants.ts'
import { Mutants } from '../../test/config/mutants.ts'

/*
 * What `check` costs with files that nobody would write: mutated configurations of both kinds, the native one and those of
 * DeepStream, with the files beside them. Prints the distribution and the slowest.
 *
 * node build/bench/config/main.js [COUNT] [SEED]
 */
const count = Number(process.argv[2] ?? 10_000)
const seed = Number(process.argv[3] ?? 1)

const times = new Float64Array(count)
let slowest: { readonly ms: number; readonly serial: number; readonly mutant: Mutant } | undefined
let refused = 0
{
  using mutants = new Mutants()
  await mutants.forEach(seed, count, async (file, mutant, serial) => {
    const cpu = process.cpuUsage()
    const { config } = await lintConfig(file, { resolve: resolveTarget, env: {} })
    const { user, system } = process.cpuUsage(cpu)
    const ms = (user + system) / 1000
    times[serial] = ms
    if (config === undefined) refused += 1
    // the first one pays for loading the adaptors
    if (serial > 0 && (slowest === undefined || ms > slowest.ms)) slowest = { ms, serial, mutant }
  })
}
const sorted = times.toSorted()
const at = (share: number) => (sorted[Math.min(count - 1, Math.floor(count * share))] ?? 0).toFixed(2)
console.log(`${count} mutated files of seed ${seed}, ${refused} refused`)
console.log(
  `CPU ms a file: median ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}; the first ${(times[0] ?? 0).toFixed(0)}`,
)
if (slowest !== undefined) {
  const { ms, serial, mutant } = slowest
  console.log(
    `slowest: ${ms.toFixed(1)} ms, number ${serial}, ${mutant.changed} for ${mutant.name}, ${mutant.bytes.length} bytes`,
  )
  console.log(mutant.bytes.toString().slice(0, 2000))
}
