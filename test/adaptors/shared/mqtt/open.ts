import type { MqttSession } from '../../../../src/adaptors/shared/mqtt/session.ts'
import type { MqttSettings } from '../../../../src/adaptors/shared/mqtt/settings.ts'
import { openSession } from '../../../../src/adaptors/shared/mqtt/session.ts'
import type { Clock, Deliveries, Message, Outcome } from '../../../../src/contract/index.ts'
import { systemClock } from '../../../../src/kit/system-clock.ts'
import type { ScriptedBroker } from './scripted-broker.ts'

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal

const SETTINGS: MqttSettings = {
  hosts: [],
  websocket: undefined,
  version: '5',
  clientId: 'test',
  sessionExpirySeconds: 0,
  keepAliveSeconds: 30,
  qos: 1,
  retain: false,
  receiveMaximum: 100,
  maxPacketBytes: 1_000_000,
  connectTimeoutMs: 10_000,
  publishTimeoutMs: 30_000,
  will: undefined,
}

/** Opens a session to a scripted broker. */
export function open(
  broker: ScriptedBroker,
  settings: Partial<MqttSettings> = {},
  clock: Clock = systemClock,
): Promise<MqttSession> {
  const hosts = [{ host: '127.0.0.1', port: broker.port }]
  return openSession({ ...SETTINGS, hosts, ...settings }, { tls: undefined, auth: undefined }, NEVER, {
    clock,
  })
}

/** A message. */
export function message(topic: string, payload = '', key?: string): Message {
  return { id: `${topic}-${payload}`, topic, payload: Buffer.from(payload), key, headers: undefined }
}

/** What has become of a batch up to now. */
export interface Published {
  /** Outcomes so far; a hole is a message that is not settled. */
  readonly outcomes: (Outcome | undefined)[]
  /** The indexes in the order in which they were settled. */
  readonly order: number[]
  /** Resolves when all are settled. */
  readonly all: Promise<Outcome[]>
}

/** Publishes a batch and watches it. */
export function publish(session: MqttSession, batch: readonly Message[], signal = NEVER): Published {
  const outcomes: (Outcome | undefined)[] = []
  const order: number[] = []
  const all = new Promise<Outcome[]>((resolve, reject) => {
    session.publish(
      batch,
      (index, outcome) => {
        if (outcomes[index] !== undefined) reject(new Error(`message ${index} was settled twice`))
        outcomes[index] = outcome
        order.push(index)
        if (order.length === batch.length) resolve(outcomes.filter((one) => one !== undefined))
      },
      signal,
    )
  })
  return { outcomes, order, all }
}

/** Subscribes without a group. */
export function subscribe(
  session: MqttSession,
  topics: readonly string[],
  maxInWork = 100,
): Promise<Deliveries> {
  return session.subscribe(topics, { group: undefined, maxInWork }, NEVER)
}

/** A word for an outcome: `delivered`, `failed LINK_LOST`, `refused topic NOT_AUTHORIZED`. */
export function word(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'open'
  if (outcome.kind === 'delivered') return 'delivered'
  const scope = outcome.kind === 'refused' ? `${outcome.scope} ` : ''
  return `${outcome.kind} ${scope}${outcome.error.code}`
}
