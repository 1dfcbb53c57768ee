import type { Channel, ConsumeMessage, Options } from 'amqplib'
import { connect } from 'amqplib'

import { AsyncQueue } from '../../../src/kit/async-queue.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'

/** amqplib at the other end, as the user `ann`. */
export interface Foreign extends AsyncDisposable {
  /** Its channel. */
  readonly channel: Channel
  /** Binds a new queue to a topic; gives its name. */
  queue(topic: string, args?: Options.AssertQueue['arguments']): Promise<string>
  /** Reads a topic; the function that comes back gives the next so many messages. */
  consume(topic: string): Promise<(count: number) => Promise<ConsumeMessage[]>>
  /** Empties a queue. */
  purge(queue: string): Promise<void>
}

/** Connects amqplib to a broker. */
export async function openForeign(broker: RabbitmqBroker): Promise<Foreign> {
  const connection = await connect(`amqp://ann:secret@127.0.0.1:${broker.port('plain')}`)
  // the end of the broker ends it too
  connection.on('error', () => undefined)
  const channel = await connection.createChannel()
  const queue = async (topic: string, args?: Options.AssertQueue['arguments']) => {
    const { queue: name } = await channel.assertQueue('', { exclusive: true, arguments: args })
    await channel.bindQueue(name, 'amq.topic', topic)
    return name
  }
  return {
    channel,
    queue,
    async consume(topic) {
      const arrived = new AsyncQueue<ConsumeMessage>()
      await channel.consume(
        await queue(topic),
        (message) => {
          if (message !== null) arrived.push(message)
        },
        { noAck: true },
      )
      return async (count) => {
        const taken: ConsumeMessage[] = []
        while (taken.length < count) {
          const next = await arrived.next()
          if (next.value !== undefined) taken.push(next.value)
        }
        return taken
      }
    },
    async purge(name) {
      await channel.purgeQueue(name)
    },
    async [Symbol.asyncDispose]() {
      await connection.close().catch(() => undefined)
    },
  }
}
