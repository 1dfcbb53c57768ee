import type { Capabilities } from '../../contract/index.ts'
import type { AmqpOptions } from './options.ts'

/** What AMQP can do at best. */
export const AMQP_CAPABILITIES: Capabilities = {
  // a queue that is full takes some messages and not others
  keepsOrderAfterFailure: false,
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
  maxPayloadBytes: 134_217_728,
  maxBatchBytes: 262_144,
  maxInFlight: 65_535,
}

/** What AMQP can do with these options. */
export function capabilitiesOf({
  exchangeType,
  durable,
  maxMessageBytes,
  maxInFlight,
}: AmqpOptions): Capabilities {
  return {
    ...AMQP_CAPABILITIES,
    patterns: exchangeType === 'topic',
    durableSubscriptions: durable,
    maxPayloadBytes: maxMessageBytes,
    maxBatchBytes: Math.min(AMQP_CAPABILITIES.maxBatchBytes, maxMessageBytes),
    maxInFlight,
  }
}
