import { startKafka, startMosquitto, withoutKafka } from '../../brokers/index.ts'
import { LIB } from '../../config/deepstream/files.ts'

/** A real broker, as a file of DeepStream names it. */
export interface Site {
  /** The adaptor library. */
  readonly library: string
  /** The connection string. */
  readonly connection: string
  /** Our own address. */
  readonly url: string
  /** Topics are made where the broker wants that. */
  readonly create: (topic: string) => Promise<void>
  /** Ends it. */
  readonly stop: () => Promise<void>
}

/** Each broker, whether it is missing, and what starts it. */
export const SITES: readonly (readonly [name: string, skip: string | false, start: () => Promise<Site>])[] = [
  ['Mosquitto', false, mosquitto],
  ['Kafka', withoutKafka(), kafka],
]

async function mosquitto(): Promise<Site> {
  const broker = await startMosquitto()
  return {
    library: `${LIB}/libnvds_mqtt_proto.so`,
    connection: `127.0.0.1;${broker.port('plain')}`,
    url: broker.url('plain'),
    create: () => Promise.resolve(),
    stop: () => broker.stop(),
  }
}

async function kafka(): Promise<Site> {
  const broker = await startKafka()
  return {
    library: `${LIB}/libnvds_kafka_proto.so`,
    connection: `127.0.0.1;${broker.port('plain')}`,
    url: broker.url('plain'),
    create: (topic) => broker.admin.createTopic(topic),
    stop: () => broker.stop(),
  }
}
