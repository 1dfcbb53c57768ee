import type { Clock } from '../../../contract/index.ts'

/** Quality of service: 0 at most once, 1 at least once, 2 exactly once within one link. */
export type Qos = 0 | 1 | 2

/** MQTT's versions by their number on the wire: 4 is 3.1.1. */
export type ProtocolLevel = 4 | 5

/** The message that the broker publishes when the link ends without a goodbye. */
export interface Will {
  /** Where it goes. */
  readonly topic: string
  /** Its bytes. */
  readonly payload: Uint8Array
  /** Its quality of service. */
  readonly qos: Qos
  /** Whether the broker keeps it for later subscribers. */
  readonly retain: boolean
}

/** Everything that makes a session, checked and complete. */
export interface MqttSettings {
  /** The brokers to try, in order. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** MQTT inside WebSocket, or `undefined` for the bare stream. */
  readonly websocket:
    | { readonly path: string; readonly headers: Readonly<Record<string, string>> }
    | undefined
  /** `auto`: MQTT 5, or 3.1.1 where the broker does not speak 5. */
  readonly version: 'auto' | '5' | '3.1.1'
  /** The client id, as it is sent. */
  readonly clientId: string
  /** How long the broker keeps the session after the link ended, in seconds; 0: a new session each time. */
  readonly sessionExpirySeconds: number
  /** The longest silence on the link, in seconds; 0: no keep-alive. */
  readonly keepAliveSeconds: number
  /** Quality of service of what is published and subscribed. */
  readonly qos: Qos
  /** Whether the broker keeps each published message for later subscribers. */
  readonly retain: boolean
  /** How many messages may be on their way to us unacknowledged. */
  readonly receiveMaximum: number
  /** The largest packet that is read, in bytes. */
  readonly maxPacketBytes: number
  /** How long the whole of a dial may take, in milliseconds. */
  readonly connectTimeoutMs: number
  /** How long the broker may take to acknowledge a message, in milliseconds; then the link ends. */
  readonly publishTimeoutMs: number
  /** Last will, or `undefined` for none. */
  readonly will: Will | undefined
}

/** What the broker granted at the start of a session. */
export interface SessionFacts {
  /** The version that is spoken. */
  readonly level: ProtocolLevel
  /** True where the broker had kept an earlier session of this client id. */
  readonly resumed: boolean
  /** The keep-alive in force, in seconds. */
  readonly keepAliveSeconds: number
  /** How long the broker keeps the session, in seconds. */
  readonly sessionExpirySeconds: number
  /** How many messages may be on their way to the broker unacknowledged. */
  readonly sendMaximum: number
  /** The largest packet that the broker takes, in bytes. */
  readonly maxPacketBytes: number
  /** The highest quality of service that the broker takes. */
  readonly maxQos: Qos
  /** Whether the broker keeps retained messages. */
  readonly retains: boolean
  /** Whether subscriptions may hold wildcards. */
  readonly wildcards: boolean
  /** Whether the broker knows shared subscriptions; MQTT 3.1.1 cannot tell. */
  readonly sharedSubscriptions: boolean
  /** Whether deliveries name the subscription they belong to. */
  readonly subscriptionIdentifiers: boolean
}

/** What a session needs from outside beside its settings. */
export interface SessionTools {
  /** Time. */
  readonly clock: Clock
}
