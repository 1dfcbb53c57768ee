import { withoutKafka, withoutLibrdkafka } from '../../../brokers/index.ts'
import { kafkaConformsInOutages } from '../conforms.ts'

kafkaConformsInOutages('librdkafka', withoutKafka() || withoutLibrdkafka())
