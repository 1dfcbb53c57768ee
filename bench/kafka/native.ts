import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { librdkafkaFolder } from '../../test/brokers/librdkafka.ts'
import type { Binding } from './librdkafka.ts'

const PACKAGE = '@confluentinc/kafka-javascript'

/** The librdkafka binding, from the folder where the set-up of the tests builds it; `undefined` where it has not. */
export function loadBinding(): Binding | undefined {
  const folder = librdkafkaFolder()
  if (!existsSync(join(folder, 'node_modules', PACKAGE))) return undefined
  const binding: Binding = createRequire(join(folder, 'package.json'))(PACKAGE)
  return binding
}
