import type { Adaptor } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { suggestion } from '../kit/nearest.ts'

/** How an address's scheme is served. */
export interface Scheme {
  /** Whether the link is encrypted. */
  readonly secure: boolean
  /** Whether the link leaves this process: a password on an insecure one could be read. */
  readonly network: boolean
  /** Loads the adaptor on first use, so that nobody pays for a protocol that is not used. */
  readonly load: () => Promise<Adaptor>
}

const loadMqtt: Scheme['load'] = async () => (await import('../adaptors/mqtt/index.ts')).mqtt
const loadKafka: Scheme['load'] = async () => (await import('../adaptors/kafka/index.ts')).kafka
const loadMemory: Scheme['load'] = async () => (await import('../adaptors/memory/index.ts')).memory

/** Every scheme that an address may begin with; of two that are equally near to a mistyped one, the first is suggested. */
const SCHEMES: Readonly<Record<string, Scheme>> = {
  memory: { secure: false, network: false, load: loadMemory },
  mqtts: { secure: true, network: true, load: loadMqtt },
  wss: { secure: true, network: true, load: loadMqtt },
  mqtt: { secure: false, network: true, load: loadMqtt },
  kafkas: { secure: true, network: true, load: loadKafka },
  kafka: { secure: false, network: true, load: loadKafka },
  ws: { secure: false, network: true, load: loadMqtt },
}

/**
 * Finds how a scheme is served.
 *
 * @throws BackhaulError `INVALID_ADDRESS` for an unknown one, with the nearest known.
 */
export function schemeOf(scheme: string, display: string): Scheme {
  const found = SCHEMES[scheme]
  if (found !== undefined && Object.hasOwn(SCHEMES, scheme)) return found
  const known = Object.keys(SCHEMES)
  throw new BackhaulError(
    'INVALID_ADDRESS',
    `Cannot use the address "${display}": the scheme "${scheme}" is unknown${suggestion(scheme, known) || `, known are ${known.join(', ')}`}`,
  )
}
