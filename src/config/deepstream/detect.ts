import { BackhaulError } from '../../contract/index.ts'
import type { ResolveConnection } from '../checks.ts'
import { kindOf } from './keys.ts'
import { isYamlName, readSettings } from './settings.ts'

/** Whether a file is one of DeepStream: a key file, or YAML whose groups are those of DeepStream and that names no version. */
export function isDeepStream(name: string, bytes: Uint8Array): boolean {
  if (/\.(txt|cfg|conf|ini)$/i.test(name)) return true
  if (!isYamlName(name)) return false
  const { groups } = readSettings(name, bytes)
  if (groups.has('version') || groups.has('connections')) return false
  return [...groups.keys()].some((group) => kindOf(group) !== undefined || group.startsWith('message-'))
}

const ADAPTORS: Readonly<Record<string, string>> = {
  kafka: 'libnvds_kafka_proto.so',
  kafkas: 'libnvds_kafka_proto.so',
  amqp: 'libnvds_amqp_proto.so',
  redis: 'libnvds_redis_proto.so',
  azure: 'libnvds_azure_proto.so',
}

/** The client's check of a connection; where there is no adaptor for a library yet, it says so by the library's name. */
export function withLibraryNames(resolve: ResolveConnection): ResolveConnection {
  return async (url, options) => {
    try {
      return await resolve(url, options)
    } catch (error) {
      const library = ADAPTORS[/^\w+/.exec(url)?.[0] ?? '']
      const isUnknown =
        error instanceof BackhaulError && error.code === 'INVALID_ADDRESS' && error.message.includes('scheme')
      if (!isUnknown || library === undefined) throw error
      throw new BackhaulError(
        'UNSUPPORTED',
        `Cannot use "${library}": this version has no adaptor for its protocol yet, use libnvds_mqtt_proto.so`,
        error,
      )
    }
  }
}
