import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { projectRoot } from '../architecture/source.ts'
import { without } from '../brokers/index.ts'

const run = promisify(execFile)

test('bench:mqtt runs and prints its table', { skip: without('mosquitto') }, async () => {
  const { stdout } = await run(process.execPath, [join(projectRoot, 'build/bench/mqtt/main.js'), '--quick'])
  for (const row of ['publish, MQTT 5, 1 KB', 'publish, MQTT 3.1.1, 1 KB', 'subscribe, MQTT 5, 1 KB']) {
    assert.match(stdout, new RegExp(`^\\| ${row}( \\| \\d+(\\.\\d+)?){7} \\|$`, 'm'))
  }
  assert.match(stdout, /^An idle agent .* has \d+ MB of memory/m)
})
