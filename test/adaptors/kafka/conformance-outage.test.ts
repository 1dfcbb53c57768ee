import { withoutKafka } from '../../brokers/index.ts'
import { kafkaConformsInOutages } from './conforms.ts'

kafkaConformsInOutages('javascript', withoutKafka())
