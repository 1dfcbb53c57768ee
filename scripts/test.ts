import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

import { librdkafkaFolder } from '../test/brokers/librdkafka.ts'

// Runs the compiled tests: every build/test/**/*.test.js, or those whose path contains one of the arguments.
// The last line is the count, whatever Node's version prints before it.
const root = fileURLToPath(new URL('../test/', import.meta.url))
const wanted = process.argv.slice(2)
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js'))
  // the compiler never removes what it wrote for a source that is gone
  .filter((path) => existsSync(join('test', path.replace(/js$/, 'ts'))))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .map((path) => join(root, path))
  .toSorted()

if (files.length === 0) {
  console.error(`Cannot test: no file of ${relative(process.cwd(), root)} matches ${wanted.join(' ')}`)
  process.exit(1)
}

// native drivers are built outside the clone, and found as those of a user are
process.env['NODE_PATH'] = [process.env['NODE_PATH'] ?? '', join(librdkafkaFolder(), 'node_modules')]
  .filter((folder) => folder !== '')
  .join(delimiter)

const count = { passed: 0, failed: 0, skipped: 0 }
// files run side by side, more of them than cores since they mostly wait; the tests of one file run one after another
const stream = run({
  files,
  concurrency: Number(process.env['TEST_CONCURRENCY'] ?? 3),
  // a file that never ends fails, instead of holding up the rest
  timeout: Number(process.env['TEST_TIMEOUT_MINUTES'] ?? 5) * 60_000,
})
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return
  if (event.skip !== undefined || event.todo !== undefined) count.skipped += 1
  else count.passed += 1
})
stream.on('test:fail', (event) => {
  if (event.details.type !== 'suite') count.failed += 1
})
stream.pipe(new spec()).pipe(process.stdout, { end: false })
stream.on('end', () => {
  setImmediate(() => {
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
    process.exitCode = count.failed > 0 || count.passed === 0 ? 1 : 0
  })
})
