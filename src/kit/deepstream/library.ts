import { suggestion } from '../nearest.ts'

/** The protocols of DeepStream's adaptor libraries. */
export const LIBRARY_PROTOCOLS = ['kafka', 'amqp', 'redis', 'mqtt', 'azure', 'azure-edge', 'memory'] as const
/** One of {@link LIBRARY_PROTOCOLS}. */
export type LibraryProtocol = (typeof LIBRARY_PROTOCOLS)[number]

/** An adaptor library of DeepStream, as its own functions describe it. */
export interface Library {
  /** Its protocol. */
  readonly protocol: LibraryProtocol
  /** What it calls its protocol; `memory` has none there, it is for tests. */
  readonly name: string
  /** Its version. */
  readonly version: string
  /** Whether it can subscribe. */
  readonly subscribes: boolean
}

const LIBRARIES: Readonly<Record<string, Library>> = {
  'libnvds_kafka_proto.so': { protocol: 'kafka', name: 'KAFKA', version: '2.0', subscribes: true },
  'libnvds_amqp_proto.so': { protocol: 'amqp', name: 'AMQP', version: '4.0', subscribes: true },
  'libnvds_redis_proto.so': { protocol: 'redis', name: 'REDIS', version: '1.0', subscribes: true },
  'libnvds_mqtt_proto.so': { protocol: 'mqtt', name: 'MQTT', version: '4.0', subscribes: true },
  'libnvds_azure_proto.so': {
    protocol: 'azure',
    name: 'AZURE_DEVICE_CLIENT',
    version: '2.0',
    subscribes: false,
  },
  'libnvds_azure_edge_proto.so': {
    protocol: 'azure-edge',
    name: 'AZURE_MODULE_CLIENT',
    version: '1.0',
    subscribes: false,
  },
  'libnvds_memory_proto.so': { protocol: 'memory', name: 'MEMORY', version: '1.0', subscribes: true },
}

/** The adaptor library of a path, in whatever folder it is; a phrase where nobody knows it. */
export function libraryOf(path: string): Library | string {
  const base = path.trim().split('/').at(-1) ?? ''
  const library = Object.hasOwn(LIBRARIES, base) ? LIBRARIES[base] : undefined
  if (library !== undefined) return library
  const known = Object.keys(LIBRARIES).filter((name) => !name.includes('memory'))
  const hint = suggestion(base, known)
  return `names "${base}", which is no library of DeepStream${hint === '' ? `, known are ${known.join(', ')}` : hint}`
}
