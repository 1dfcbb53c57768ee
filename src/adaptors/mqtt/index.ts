import { randomBytes } from 'node:crypto'

import type { Adaptor, DialRequest, Link } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import { checkTlsAgrees } from '../shared/tls-agreement.ts'
import { checkTopicFilter, checkTopicName } from '../shared/topic-filter.ts'
import { MQTT_CAPABILITIES, MqttLink } from './link.ts'
import type { MqttOptions } from './options.ts'
import { MQTT_SCHEMES, mqttSignature, readMqttOptions } from './options.ts'

export type { MqttOptions, MqttScheme } from './options.ts'
export { MQTT_SCHEMES, mqttOptionsSchema } from './options.ts'

/** MQTT 5 and 3.1.1 over TCP, TLS and WebSocket. See README.md beside this file. */
export const mqtt: Adaptor<MqttOptions> = {
  protocol: 'mqtt',
  schemes: { mqtt: 'plaintext', mqtts: 'tls', ws: 'plaintext', wss: 'tls' },
  capabilities: MQTT_CAPABILITIES,
  options: readMqttOptions,
  signature: mqttSignature,
  checkTopic(topic, use) {
    if (use === 'publish') checkTopicName(topic)
    else checkTopicFilter(topic)
  },
  dial,
}

async function dial(request: DialRequest<MqttOptions>, signal: AbortSignal): Promise<Link> {
  const { options, tls, auth } = request
  const { secure } = MQTT_SCHEMES[options.scheme]
  checkTlsAgrees(options.scheme, secure, tls, options.websocket === undefined ? 'mqtts' : 'wss')
  // loaded on first use, so that nobody pays for what they do not use
  const { openSession } = await import('../shared/mqtt/session.ts')
  // at most 23 characters: what every broker of MQTT 3.1.1 must take
  const clientId = options.clientId ?? `backhaul-${randomBytes(7).toString('hex')}`
  const session = await openSession({ ...options, clientId }, { tls, auth }, signal, { clock: systemClock })
  return new MqttLink(session, options)
}
