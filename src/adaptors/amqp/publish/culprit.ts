import type { Message } from '../../../contract/index.ts'
import type { Refusal } from '../errors.ts'
import { REPLY } from '../wire/protocol.ts'

/**
 * Which messages on their way a broker means that ended the channel. RabbitMQ names the topic of a forbidden one and the size of one
 * that is too large; where it names the exchange alone, every message is meant. `() => false`: it cannot be told.
 */
export function isCulprit({ code, text }: Refusal): (message: Message) => boolean {
  if (code === REPLY.preconditionFailed) {
    const size = Number(/message size (\d+)/.exec(text)?.[1])
    return (message) => message.payload.length === size
  }
  if (code === REPLY.accessRefused) {
    const topic = /topic '(.*)' in exchange/s.exec(text)?.[1]
    // a long topic is cut off, since the text has room for 255 bytes
    if (topic !== undefined) return (message) => message.topic === topic
    const begin = /topic '(.*)$/s.exec(text)?.[1]
    return begin === undefined ? () => true : (message) => message.topic.startsWith(begin)
  }
  if (code === REPLY.notFound) return () => true
  return () => false
}
