import type { Adaptor, Address } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { suggestion } from '../kit/nearest.ts'
import { customAdaptor } from './custom-adaptor.ts'

/** Loads an adaptor on first use, so that nobody pays for a protocol that is not used. */
type Load = () => Promise<Adaptor>

const loadMqtt: Load = async () => (await import('../adaptors/mqtt/index.ts')).mqtt
const loadKafka: Load = async () => (await import('../adaptors/kafka/index.ts')).kafka
const loadAmqp: Load = async () => (await import('../adaptors/amqp/index.ts')).amqp
const loadRedis: Load = async () => (await import('../adaptors/redis/index.ts')).redis
const loadMemory: Load = async () => (await import('../adaptors/memory/index.ts')).memory

/** Every scheme that an address may begin with; of two that are equally near to a mistyped one, the first is suggested. */
const SCHEMES: Readonly<Record<string, Load>> = {
  memory: loadMemory,
  mqtts: loadMqtt,
  wss: loadMqtt,
  mqtt: loadMqtt,
  kafkas: loadKafka,
  kafka: loadKafka,
  amqps: loadAmqp,
  amqp: loadAmqp,
  rediss: loadRedis,
  redis: loadRedis,
  ws: loadMqtt,
}

/**
 * Gives the adaptor that serves an address: the custom one, where one is named, else the built-in one of its scheme.
 *
 * @param custom - the adaptor, or the path or package name of its module
 * @throws BackhaulError `INVALID_ADDRESS` for a scheme that nobody serves, with the nearest known; `DRIVER_MISSING` and
 * `INVALID_OPTIONS` for a custom adaptor that cannot be loaded or keeps no contract
 */
export async function adaptorFor(
  { scheme, display }: Address,
  custom: Adaptor | string | undefined,
): Promise<Adaptor> {
  if (custom !== undefined) {
    const adaptor = await customAdaptor(custom)
    if (Object.hasOwn(adaptor.schemes, scheme)) return adaptor
    throw unknownScheme(scheme, display, Object.keys(adaptor.schemes))
  }
  const load = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  if (load === undefined) throw unknownScheme(scheme, display, Object.keys(SCHEMES))
  return load()
}

function unknownScheme(scheme: string, display: string, known: readonly string[]): BackhaulError {
  return new BackhaulError(
    'INVALID_ADDRESS',
    `Cannot use the address "${display}": the scheme "${scheme}" is unknown${suggestion(scheme, known) || `, known are ${known.join(', ')}`}`,
  )
}
