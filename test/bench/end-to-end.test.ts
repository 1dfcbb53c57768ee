import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { projectRoot } from '../architecture/source.ts'
import { without } from '../brokers/index.ts'

test('bench:end-to-end runs and prints its figures', { skip: without('mosquitto') }, async () => {
  const main = join(projectRoot, 'build/bench/end-to-end/main.js')
  const running = promisify(execFile)(process.execPath, [main, '--quick', '--only', 'mqtt'])
  // its goals are for a quiet machine and full rounds: here it only has to run
  const { stdout } = await running.catch((error: { stdout: string }) => error)
  assert.match(stdout, /^(PASS|FAIL) {2}mqtt +with the outbox .*: \d+\/s .* it adds -?\d+\.\d+ µs/m)
})
