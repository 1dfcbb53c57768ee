import type {
  BackhaulError,
  Capabilities,
  Deliveries,
  Link,
  Message,
  Peer,
  Settle,
  SubscribeOptions,
} from '../../contract/index.ts'
import type { MqttSession } from '../shared/mqtt/session.ts'
import type { SessionFacts } from '../shared/mqtt/settings.ts'
import type { MqttOptions } from './options.ts'

/** The largest payload: a packet has at most 268,435,455 bytes after its header, and topic and properties need some. */
const MAX_PAYLOAD = 268_000_000
/** Room for topic, key and headers under a broker's own limit. */
const RESERVE = 1024

/** What MQTT can do at best: version 5 with a client id that stays the same and one that does not, taken together. */
export const MQTT_CAPABILITIES: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: true,
  patterns: true,
  groups: true,
  durableSubscriptions: true,
  redelivers: true,
  parallelLinks: true,
  maxPayloadBytes: MAX_PAYLOAD,
  maxBatchBytes: 262_144,
  maxInFlight: 1000,
}

/** One MQTT session as the rooms above see it. */
export class MqttLink implements Link {
  /** What MQTT can do, as far as this broker and version hold it. */
  readonly capabilities: Capabilities
  /** Version, address and TLS session of the broker. */
  readonly peer: Peer
  readonly #session: MqttSession

  constructor(session: MqttSession, options: MqttOptions) {
    const { facts } = session
    this.#session = session
    this.capabilities = capabilitiesOf(facts, options)
    this.peer = {
      protocol: facts.level === 5 ? 'MQTT 5' : 'MQTT 3.1.1',
      address: session.address,
      tls: session.tls,
    }
  }

  /** See {@link Link.lost}. */
  get lost(): Promise<BackhaulError> {
    return this.#session.lost
  }

  /** See {@link Link.publish}. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    this.#session.publish(batch, settle, signal)
  }

  /** See {@link Link.subscribe}. */
  subscribe(topics: readonly string[], options: SubscribeOptions, signal: AbortSignal): Promise<Deliveries> {
    return this.#session.subscribe(topics, options, signal)
  }

  /** See {@link Link.close}. */
  close(): Promise<void> {
    return this.#session.close()
  }
}

function capabilitiesOf(facts: SessionFacts, options: MqttOptions): Capabilities {
  const five = facts.level === 5
  const durable = facts.sessionExpirySeconds > 0
  const room = facts.maxPacketBytes - RESERVE
  return {
    ...MQTT_CAPABILITIES,
    reportsRefusals: five && options.qos > 0,
    carriesId: five,
    carriesKey: five,
    carriesHeaders: five,
    patterns: facts.wildcards,
    groups: facts.sharedSubscriptions,
    durableSubscriptions: durable && options.qos > 0,
    redelivers: durable && options.qos > 0,
    parallelLinks: options.clientId === undefined,
    maxPayloadBytes: Math.min(MAX_PAYLOAD, room > RESERVE ? room : Math.floor(facts.maxPacketBytes / 2)),
    maxInFlight: facts.sendMaximum,
  }
}
