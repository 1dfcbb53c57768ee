import type { Adaptor, DialRequest, Link } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import { checkTlsAgrees } from '../shared/tls-agreement.ts'
import { AMQP_CAPABILITIES } from './capabilities.ts'
import type { AmqpOptions } from './options.ts'
import { AMQP_SCHEMES, amqpSignature, readAmqpOptions } from './options.ts'
import { checkSubscription, checkTopicName } from './topic.ts'

export type { AmqpOptions, AmqpScheme } from './options.ts'
export { AMQP_SCHEMES, amqpOptionsSchema } from './options.ts'

/** AMQP 0-9-1, as RabbitMQ speaks it. See README.md beside this file. */
export const amqp: Adaptor<AmqpOptions> = {
  protocol: 'amqp',
  schemes: { amqp: 'plaintext', amqps: 'tls' },
  capabilities: AMQP_CAPABILITIES,
  options: readAmqpOptions,
  signature: amqpSignature,
  checkTopic(topic, use) {
    if (use === 'publish') checkTopicName(topic)
    else checkSubscription(topic)
  },
  dial,
}

async function dial(request: DialRequest<AmqpOptions>, signal: AbortSignal): Promise<Link> {
  const { options, tls, auth } = request
  checkTlsAgrees(options.scheme, AMQP_SCHEMES[options.scheme].secure, tls, 'amqps')
  // loaded on first use, so that nobody pays for what they do not use
  const { openLink } = await import('./link.ts')
  return openLink({ options, credentials: { tls, auth }, clock: systemClock }, signal)
}
