import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'

import { resolveTarget } from '../../src/client/index.ts'
import { formatProblem, lintConfig } from '../../src/config/index.ts'
import { Mutants } from './mutants.ts'

/** How many in one run; `npm run test:stress` has 100,000. */
const COUNT = Number(process.env['MUTANTS'] ?? 3000)
const SEED = Number(process.env['MUTANTS_SEED'] ?? 1)

test(`lintConfig() never throws at ${COUNT} mutated files, and tells each problem at a place`, async () => {
  using mutants = new Mutants()
  let refused = 0
  await mutants.forEach(SEED, COUNT, async (file, { changed, bytes }, serial) => {
    const what = `mutant ${serial} of seed ${SEED}, in ${changed}:\n${bytes.toString()}\n`
    const { config, problems } = await lintConfig(file, { resolve: resolveTarget, env: {} }).catch(
      (error: unknown) => {
        throw new Error(what, { cause: error })
      },
    )
    const errors = problems.filter(({ severity }) => severity === 'error')
    assert.equal(config === undefined, errors.length > 0, what)
    for (const problem of problems) {
      assert.ok(problem.line >= 1 && problem.column >= 1 && problem.message !== '', what)
      assert.ok(!formatProblem(file, problem).includes('secret'), `the password shows: ${what}`)
    }
    if (config === undefined) refused += 1
  })
  assert.ok(refused > COUNT / 4 && refused < COUNT, `${refused} of ${COUNT} refused`)
})
