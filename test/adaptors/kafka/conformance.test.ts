import { withoutKafka } from '../../brokers/index.ts'
import { kafkaConforms } from './conforms.ts'

kafkaConforms('javascript', withoutKafka())
