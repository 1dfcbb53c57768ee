import { randomBytes } from 'node:crypto'

import { BackhaulError } from '../../../contract/index.ts'
import type { AmqpOptions } from '../options.ts'
import type { QueueDeclaration } from '../wire/methods.ts'

/** A queue of a subscription, and the topics that come to it. */
export interface SubscribedQueue {
  /** How it is declared. */
  readonly declaration: QueueDeclaration
  /** What it is bound to; none where it is only checked. */
  readonly topics: readonly string[]
}

/**
 * The queues of a subscription. A group has one for each topic, by a name that all members find: so it keeps messages while nobody
 * is there, and a member that asks for other topics changes nothing for the rest. Without a group, one queue for all topics lives and
 * ends with the connection.
 *
 * @throws BackhaulError `INVALID_TOPIC` for a name that is too long
 */
export function queuesOf(
  topics: readonly string[],
  group: string | undefined,
  options: AmqpOptions,
): SubscribedQueue[] {
  const wanted = [...new Set(topics)]
  if (group === undefined) {
    const name = `${options.queuePrefix}${randomBytes(8).toString('hex')}`
    const declaration = { name, check: false, durable: false, exclusive: true, arguments: {} }
    return [{ declaration, topics: wanted }]
  }
  const byName = new Map<string, string[]>()
  for (const topic of wanted) {
    const name = options.queueName.replace('{group}', () => group).replace('{topic}', () => topic)
    if (Buffer.byteLength(name) > 255) {
      throw new BackhaulError(
        'INVALID_TOPIC',
        `Cannot subscribe to "${topic}" in the group "${group}": the name of the queue is longer than 255 bytes, shorten the group or set queueName`,
      )
    }
    byName.set(name, [...(byName.get(name) ?? []), topic])
  }
  const { declareQueues, durable, queueType } = options
  return [...byName].map(([name, bound]) => ({
    declaration: {
      name,
      check: !declareQueues,
      durable,
      exclusive: false,
      arguments: declareQueues ? { 'x-queue-type': queueType } : {},
    },
    topics: declareQueues ? bound : [],
  }))
}
