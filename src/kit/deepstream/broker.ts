/**
 * From a connection of DeepStream (adaptor library, connection string, configuration file of the adaptor with its group
 * `[message-broker]`) to an address and options of ours. Each protocol has its own reader; all have in common:
 *
 * - an unknown key is an error with the nearest known name: a mistyped security option must not be passed over;
 * - a key that does nothing here is said to have no effect;
 * - user and password of the environment come before those of the file, which come before those of the string;
 * - the connections run as they are written: a password may travel in plaintext, and health shows it.
 */
import { BrokerReader } from './broker-reader.ts'
import type { BrokerProblem, BrokerSource, BrokerTarget } from './broker-reader.ts'
import { amqpBroker, azureBroker, redisBroker } from './other-brokers.ts'
import { kafkaBroker } from './kafka.ts'
import type { Library } from './library.ts'
import { libraryOf } from './library.ts'
import { mqttBroker } from './mqtt.ts'

/** What a connection comes to. */
export interface BrokerResult {
  /** The library, where it is known. */
  readonly library: Library | undefined
  /** Address and options. */
  readonly target: BrokerTarget
  /** What is wrong and what has no effect. */
  readonly problems: readonly BrokerProblem[]
}

/** Reads a connection of DeepStream. Never throws. */
export function readBroker(source: BrokerSource): BrokerResult {
  const reader = new BrokerReader(source)
  const library = libraryOf(source.library)
  if (typeof library === 'string') {
    reader.problem('library', library)
    return { library: undefined, target: reader.target, problems: reader.problems }
  }
  READERS[library.protocol](reader)
  return { library, target: reader.target, problems: reader.problems }
}

const READERS: Readonly<Record<Library['protocol'], (reader: BrokerReader) => void>> = {
  kafka: kafkaBroker,
  mqtt: mqttBroker,
  amqp: amqpBroker,
  redis: redisBroker,
  azure: azureBroker,
  'azure-edge': azureBroker,
  memory: (reader) => {
    reader.keys(['share-connection'], [])
    reader.target.url = `memory:${reader.source.connection?.split(';')[0] ?? 'deepstream'}`
  },
}
