import type { SubscriptionOptions } from '../connection/index.ts'
import type { Headers, OutboundMessage, Receipt } from '../contract/index.ts'

/** The topic that a dead letter came from. */
const DEAD_LETTER_TOPIC_HEADER = 'backhaul-dead-letter-topic'
/** Why it was given up. */
const DEAD_LETTER_REASON_HEADER = 'backhaul-dead-letter-reason'

const MAX_REASON = 500

/**
 * What takes a delivery that was given up: it is sent to the dead-letter topic with its own payload, key, headers and id, and counts as
 * done once that is safe: on disk, or acknowledged by the broker. Then the application's own `onGaveUp` is told.
 *
 * @param durable - whether what `send()` took survives the process
 */
export function sendDeadLetters(
  topic: string,
  send: (message: OutboundMessage) => Promise<Receipt>,
  durable: boolean,
  onGaveUp: SubscriptionOptions['onGaveUp'],
): NonNullable<SubscriptionOptions['onGaveUp']> {
  return async (delivery, reason) => {
    const headers: Headers = {
      ...delivery.headers,
      [DEAD_LETTER_TOPIC_HEADER]: delivery.topic,
      [DEAD_LETTER_REASON_HEADER]: textOf(reason),
    }
    const { payload, key, id } = delivery
    const receipt = await send({ topic, payload, key, id, headers })
    if (!durable) await receipt.delivered()
    await onGaveUp?.(delivery, reason)
  }
}

function textOf(reason: unknown): string {
  const text =
    reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : 'none was given'
  return text.slice(0, MAX_REASON)
}
