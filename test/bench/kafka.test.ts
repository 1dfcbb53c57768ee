import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { projectRoot } from '../architecture/source.ts'
import { withoutKafka } from '../brokers/index.ts'

const run = promisify(execFile)

test('bench:kafka runs and prints its table', { skip: withoutKafka() }, async () => {
  const { stdout } = await run(process.execPath, [join(projectRoot, 'build/bench/kafka/main.js'), '--quick'])
  for (const direction of ['produce', 'consume']) {
    for (const side of ['Backhaul', 'bare @platformatic/kafka, batched']) {
      const row = `${direction}, mutual TLS, 1 KB: ${side}`
      assert.match(stdout, new RegExp(`^\\| ${row}( \\| (\\d+(\\.\\d+)?|-)){7} \\|$`, 'm'))
    }
  }
})
