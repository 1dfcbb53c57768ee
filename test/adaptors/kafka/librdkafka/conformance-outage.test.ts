import process from 'node:process'
import { after } from 'node:test'

import { withoutKafka, withoutLibrdkafka } from '../../../brokers/index.ts'
import { kafkaConformsInOutages } from '../conforms.ts'

kafkaConformsInOutages('librdkafka', withoutKafka() || withoutLibrdkafka())
// a consumer that is owed a confirmation by a broker that never comes back cannot be closed, and keeps the process
after(() => setImmediate(() => process.exit()))
