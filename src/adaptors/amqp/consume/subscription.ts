import type { BackhaulError, Clock, SubscribeOptions } from '../../../contract/index.ts'
import { consumerCancelled } from '../errors.ts'
import type { AmqpOptions } from '../options.ts'
import { Channel } from '../session/channel.ts'
import type { AmqpConnection } from '../session/connection.ts'
import * as methods from '../wire/methods.ts'
import { METHOD } from '../wire/protocol.ts'
import type { SubscribedQueue } from './queues.ts'
import { queuesOf } from './queues.ts'
import { Reader } from './reader.ts'

/*
 * One subscription is one channel: closing it gives back to the broker what is not acknowledged, and nothing of other subscriptions.
 *
 * The broker sends at most as many messages as may be in work, and a few more, so that what was given back and waits for its time
 * does not hold up the rest.
 */

const MAX_PREFETCH = 65_535
const SPARE = 10

/** Whom a subscription tells. */
export interface SubscriptionHost {
  /** The link must end. */
  end(error: BackhaulError): void
  /** It has left. */
  left(subscription: Subscription): void
  /** Time. */
  readonly clock: Clock
}

/** One subscription. */
export class Subscription {
  /** Its stream. */
  readonly reader: Reader
  readonly #connection: AmqpConnection
  readonly #channel: Channel
  readonly #host: SubscriptionHost
  readonly #exchange: string
  readonly #queues: readonly SubscribedQueue[]
  readonly #prefetch: number
  #started = false

  /** Opens a channel; `start()` follows. */
  constructor(
    connection: AmqpConnection,
    topics: readonly string[],
    { group, maxInWork }: SubscribeOptions,
    options: AmqpOptions,
    host: SubscriptionHost,
  ) {
    this.#connection = connection
    this.#host = host
    this.#exchange = options.exchange
    this.#queues = queuesOf(topics, group, options)
    const inWork = Math.min(Math.max(1, maxInWork), MAX_PREFETCH)
    this.#prefetch = Math.min(inWork + Math.min(inWork, SPARE), MAX_PREFETCH)
    this.reader = new Reader(
      {
        acknowledge: (tag) => this.#channel.acknowledge(tag),
        leave: () => this.leave(),
      },
      host.clock,
      inWork,
    )
    this.#channel = new Channel(connection, options.contentType, {
      delivered: (delivery) => this.reader.take(delivery),
      cancelled: () => this.#cancelled(),
      closed: () => this.#cancelled(),
      lost: () => this.#end(),
    })
  }

  /**
   * Subscribes at the broker.
   *
   * @throws BackhaulError the refusal
   */
  async start(): Promise<void> {
    const { number } = this.#channel
    const asked = [
      this.#channel.open(),
      this.#ask('limit a subscription', methods.qos(number, this.#prefetch), METHOD.qosOk),
    ]
    for (const { declaration, topics } of this.#queues) {
      const { name } = declaration
      asked.push(
        this.#ask(
          `use the queue "${name}"`,
          methods.queueDeclare(number, declaration),
          METHOD.queueDeclareOk,
        ),
      )
      for (const topic of topics) {
        const bind = methods.queueBind(number, name, this.#exchange, topic)
        asked.push(this.#ask(`subscribe to "${topic}"`, bind, METHOD.queueBindOk))
      }
      asked.push(this.#ask(`read the queue "${name}"`, methods.consume(number, name, name), METHOD.consumeOk))
    }
    await Promise.all(asked)
    this.#started = true
  }

  #ask(what: string, frame: Buffer, answer: number): Promise<void> {
    return this.#channel.ask(what, frame, answer)
  }

  /** Ends it at the broker. */
  async leave(): Promise<void> {
    this.#end()
    await this.#channel.close()
  }

  /** The broker has ended it: a queue was deleted, or has moved to another node. While it starts, `start()` tells. */
  #cancelled(): void {
    if (!this.#started) return
    const name = this.#queues.map(({ declaration }) => declaration.name).join('", "')
    this.#host.end(consumerCancelled(this.#connection.address, name))
  }

  #end(): void {
    this.reader.end()
    this.#host.left(this)
  }
}
