import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

import type { Binding } from './librdkafka.ts'

const PACKAGE = '@confluentinc/kafka-javascript'
const VERSION = '1.10.1'

/** The librdkafka binding, from the folder where the set-up of the tests builds it; `undefined` where it has not. */
export function loadBinding(): Binding | undefined {
  const folder = join(homedir(), '.cache', 'backhaul', `native-${VERSION}-${process.versions.modules}`)
  if (!existsSync(join(folder, 'node_modules', PACKAGE))) return undefined
  const binding: Binding = createRequire(join(folder, 'package.json'))(PACKAGE)
  return binding
}
