import { withoutKafka } from '../../../brokers/index.ts'
import { withoutLibrdkafka } from '../../../brokers/index.ts'
import { kafkaConforms } from '../conforms.ts'

kafkaConforms('librdkafka', withoutKafka() || withoutLibrdkafka())
