import { createHash } from 'node:crypto'

import { z } from 'zod'

import type { Address } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { durationOption, flagOption, integerOption, readOptions } from '../../kit/options.ts'
import type { MqttSettings, Qos } from '../shared/mqtt/settings.ts'
import { checkTopicName } from '../shared/topic-filter.ts'

/** The schemes of MQTT with their default ports. */
export const MQTT_SCHEMES = {
  mqtt: { port: 1883, secure: false, websocket: false },
  mqtts: { port: 8883, secure: true, websocket: false },
  ws: { port: 80, secure: false, websocket: true },
  wss: { port: 443, secure: true, websocket: true },
} as const satisfies Record<string, { port: number; secure: boolean; websocket: boolean }>

/** One of {@link MQTT_SCHEMES}. */
export type MqttScheme = keyof typeof MQTT_SCHEMES

const qosOption = integerOption(0, 2).transform((level): Qos => (level === 0 ? 0 : level === 1 ? 1 : 2))

/** MQTT's own options, for the address's query and the `options` block. */
export const mqttOptionsSchema = z.strictObject({
  qos: qosOption
    .default(1)
    .describe(
      'Quality of service of what is sent and subscribed: 0 at most once, 1 at least once, 2 exactly once',
    ),
  version: z
    .enum(['auto', '5', '3.1.1'])
    .default('auto')
    .describe('Protocol version. auto: 5, or 3.1.1 where the broker does not speak 5'),
  clientId: z
    .string()
    .min(1)
    .max(65_535)
    .regex(/^[^\0]*$/, 'must not hold the character U+0000')
    .optional()
    .describe('Client id. Default: a new random one for each link'),
  sessionExpirySeconds: integerOption(0, 4_294_967_295)
    .default(0)
    .describe('How long the broker keeps subscriptions and messages while we are away. Needs a clientId'),
  keepAliveSeconds: integerOption(0, 65_535)
    .default(30)
    .describe(
      'The longest silence on the link; a hung broker is noticed within one and a half of it. 0: never',
    ),
  retain: flagOption
    .default(false)
    .describe('The broker keeps the last message of each topic for later subscribers'),
  receiveMaximum: integerOption(1, 65_535)
    .default(1000)
    .describe('How many messages may be on their way to us unacknowledged'),
  maxPacketBytes: integerOption(1024, 268_435_460)
    .default(16_777_216)
    .describe('The largest packet that is read; a larger one ends the link'),
  connectTimeoutMs: durationOption(1, 3_600_000).default(10_000).describe('How long one dial may take'),
  publishTimeoutMs: durationOption(1, 3_600_000)
    .default(30_000)
    .describe(
      'How long the broker may take to acknowledge a message; then the link ends and the message is sent again',
    ),
  will: z
    .strictObject({
      topic: z.string().describe('Where it goes'),
      payload: z.string().default('').describe('Its text'),
      qos: qosOption.default(1).describe('Its quality of service'),
      retain: flagOption.default(false).describe('Whether the broker keeps it'),
    })
    .optional()
    .describe('The message that the broker publishes when the link ends without a goodbye'),
  websocketHeaders: z
    .record(z.string(), z.string())
    .default({})
    .describe('Further HTTP headers for ws:// and wss://'),
})

/** The checked form of {@link mqttOptionsSchema}, with what the address says. */
export interface MqttOptions extends Omit<MqttSettings, 'clientId'> {
  /** The scheme of the address. */
  readonly scheme: MqttScheme
  /** The client id, or `undefined` for a new one at each dial. */
  readonly clientId: string | undefined
}

/**
 * Puts an address and its options together.
 *
 * @throws BackhaulError `INVALID_ADDRESS` or `INVALID_OPTIONS`
 */
export function readMqttOptions(address: Address, config: Readonly<Record<string, unknown>>): MqttOptions {
  const scheme = schemeOf(address)
  const twice = Object.keys(address.query).find((name) => Object.hasOwn(config, name))
  if (twice !== undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use the MQTT options of ${address.display}: "${twice}" is given in the address and in the options, give it once`,
    )
  }
  const subject = `the MQTT options of ${address.display}`
  const { will, websocketHeaders, ...rest } = readOptions(
    mqttOptionsSchema,
    { ...address.query, ...config },
    subject,
  )
  if (rest.sessionExpirySeconds > 0 && rest.clientId === undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use ${subject}: "sessionExpirySeconds" keeps a session for a client id, give a "clientId" that stays the same`,
    )
  }
  if (will !== undefined) checkTopicName(will.topic)
  const { port, websocket } = MQTT_SCHEMES[scheme]
  return {
    ...rest,
    scheme,
    clientId: rest.clientId,
    hosts: address.hosts.map((one) => ({ host: one.host, port: one.port ?? port })),
    websocket: websocket ? { path: pathOf(address, true), headers: websocketHeaders } : undefined,
    will: will && { ...will, payload: Buffer.from(will.payload) },
  }
}

/**
 * Text that is equal for equal options. Header values may be secrets and enter as digests.
 */
export function mqttSignature(options: MqttOptions): string {
  const { will, websocket, ...rest } = options
  const headers = Object.entries(websocket?.headers ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const normal = {
    ...rest,
    path: websocket?.path,
    headers: headers.map(([name, value]) => [name.toLowerCase(), digest(value)]),
    will: will && { ...will, payload: digest(will.payload) },
  }
  const sorted = Object.entries(normal).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `mqtt ${JSON.stringify(sorted)}`
}

function schemeOf(address: Address): MqttScheme {
  const scheme = Object.keys(MQTT_SCHEMES).find((known): known is MqttScheme => known === address.scheme)
  if (scheme === undefined || address.hosts.length === 0) {
    throw new BackhaulError(
      'INVALID_ADDRESS',
      `Cannot use the address "${address.display}" for MQTT: write it as mqtts://host:8883, mqtt://, wss:// or ws://`,
    )
  }
  pathOf(address, MQTT_SCHEMES[scheme].websocket)
  return scheme
}

function pathOf(address: Address, websocket: boolean): string {
  if (!websocket && address.path !== '' && address.path !== '/') {
    throw new BackhaulError(
      'INVALID_ADDRESS',
      `Cannot use the address "${address.display}": MQTT without WebSocket has no path, leave out "${address.path}"`,
    )
  }
  return encodeURI(address.path === '' ? '/' : address.path)
}

function digest(value: string | Uint8Array): string {
  return createHash('sha256').update(value).digest('base64')
}
