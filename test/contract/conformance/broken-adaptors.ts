import { setTimeout as later } from 'node:timers/promises'

import type { Mode } from '../../../src/contract/conformance/index.ts'
import type { Deliveries, Message, Outcome } from '../../../src/contract/index.ts'
import { BackhaulError, DELIVERED } from '../../../src/contract/index.ts'
import type { Breaking } from './breaking.ts'
import { breakDeliveries, breakLinks, mapped, weaker } from './breaking.ts'

/** An adaptor that breaks the contract in one way, and the behaviours that must find it out. */
export interface Broken {
  /** Completes "an adaptor that". */
  readonly fault: string
  /** Names of the behaviours that must fail. */
  readonly found: readonly string[]
  /** Breaks a good one. */
  readonly breaking: Breaking
  /** The mode that finds it. @default short */
  readonly mode?: Mode
}

const never = new AbortController().signal
let count = 0

/** True for every `n`th call. */
function every(n: number): boolean {
  count += 1
  return count % n === 0
}

/** Publishes what `keep` keeps and settles the rest as delivered. */
function dropping(keep: (message: Message) => boolean): Breaking {
  return breakLinks((link) => ({
    publish: (batch, settle, signal) => {
      for (const [index, message] of batch.entries()) {
        if (keep(message)) link.publish([message], (_, outcome) => settle(index, outcome), signal)
        else setImmediate(() => settle(index, DELIVERED))
      }
    },
  }))
}

/** Changes every outcome on its way. */
function outcomes(change: (outcome: Outcome, message: Message | undefined) => Outcome): Breaking {
  return breakLinks((link) => ({
    publish: (batch, settle, signal) => {
      link.publish(batch, (index, outcome) => settle(index, change(outcome, batch[index])), signal)
    },
  }))
}

/** Faults of publishing. */
const PUBLISHING: readonly Broken[] = [
  {
    fault: 'drops one message in five and says that it was delivered',
    found: ['everything published after subscribe() resolved arrives', 'messages of one key arrive in order'],
    breaking: dropping(() => !every(5)),
  },
  {
    fault: 'sends messages twice',
    found: ['messages of one key arrive in order', 'several subscriptions to one topic each get everything'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, settle, signal)
        link.publish(batch, () => undefined, signal)
      },
    })),
  },
  {
    fault: 'turns the order within a batch round',
    found: [
      'messages of one key arrive in order',
      'messages without a key arrive in the order of their topic',
    ],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        const last = batch.length - 1
        link.publish(batch.toReversed(), (index, outcome) => settle(last - index, outcome), signal)
      },
    })),
  },
  {
    fault: 'lets later messages of a key overtake a failed one',
    found: [
      'when a message fails, the later ones of its key fail too',
      'after a failure the first arrivals of a key are in order',
    ],
    breaking: (harness) => weaker(harness, { keepsOrderAfterFailure: false }),
  },
  {
    fault: 'settles inside publish()',
    found: ['publish() returns before it settles anything as delivered'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, () => undefined, signal)
        for (const index of batch.keys()) settle(index, DELIVERED)
      },
    })),
  },
  {
    fault: 'settles before the word of the broker',
    found: ['nothing is delivered before the word of the broker'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, () => undefined, signal)
        setImmediate(() => {
          for (const index of batch.keys()) settle(index, DELIVERED)
        })
      },
    })),
  },
  {
    fault: 'settles a message again when its link ends',
    found: ['each message is settled exactly once'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, settle, signal)
        void link.lost.then((error) => settle(0, { kind: 'failed', error }))
      },
    })),
  },
  {
    fault: 'never settles the last message of a batch',
    found: ['several batches on their way are all settled', 'each message is settled exactly once'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        const forgotten = batch.length - 1
        link.publish(batch, (index, outcome) => index !== forgotten && settle(index, outcome), signal)
      },
    })),
  },
  {
    fault: 'loses the tail of a large payload',
    found: ['a large payload arrives exactly'],
    breaking: breakDeliveries(({ payload }) => ({ payload: payload.subarray(0, 65_536) })),
  },
  {
    fault: 'takes payloads for text',
    found: ['the bytes of a payload arrive exactly'],
    breaking: breakDeliveries(({ payload }) => ({ payload: Buffer.from(Buffer.from(payload).toString()) })),
  },
  {
    fault: 'drops empty payloads',
    found: ['an empty payload arrives'],
    breaking: dropping(({ payload }) => payload.length > 0),
  },
  {
    fault: 'writes the names of headers in lower case and drops empty ones',
    found: ['headers arrive as they were sent'],
    breaking: breakDeliveries(({ headers }) => ({
      headers: Object.fromEntries(Object.entries(headers ?? {}).filter(([, value]) => value !== '')),
    })),
  },
  {
    fault: 'loses the key',
    found: ['the key arrives'],
    breaking: breakDeliveries(() => ({ key: undefined })),
  },
  {
    fault: 'cuts long ids',
    found: ['the id arrives'],
    breaking: breakDeliveries(({ id }) => ({ id: id?.slice(0, 64) })),
  },
  {
    fault: 'ignores that publish() was aborted',
    found: [
      'aborting publish() fails what is unsettled, and the link lives',
      'aborting publish() works while the broker is silent',
    ],
    breaking: breakLinks((link) => ({ publish: (batch, settle) => link.publish(batch, settle, never) })),
  },
  {
    fault: 'says delivered for what was on its way when the line was cut',
    mode: 'outage',
    found: [
      'under load, nothing acknowledged is lost when the line is cut',
      'under load, nothing acknowledged is lost when the line is reset',
      'under load, nothing acknowledged is lost when the broker is killed',
      'under load, nothing acknowledged is lost when the broker freezes and comes back',
    ],
    breaking: outcomes((outcome) => (outcome.kind === 'failed' ? DELIVERED : outcome)),
  },
]

/** Faults of subscribing. */
const SUBSCRIBING: readonly Broken[] = [
  {
    fault: 'says that it is subscribed before it is',
    found: ['everything published after subscribe() resolved arrives'],
    breaking: breakLinks((link) => ({
      subscribe: async (topics, options, signal) => {
        const asked = later(20).then(() => link.subscribe(topics, options, signal))
        asked.catch(() => undefined)
        const stream: Deliveries = {
          next: async () => (await asked).next(),
          return: async () => (await (await asked).return?.()) ?? { done: true, value: undefined },
          [Symbol.asyncIterator]: () => stream,
        }
        return stream
      },
    })),
  },
  {
    fault: 'shares a topic between the subscriptions of a link',
    found: ['several subscriptions to one topic each get everything'],
    breaking: breakLinks((link) => ({
      subscribe: (topics, { maxInWork }, signal) =>
        link.subscribe(topics, { group: 'all', maxInWork }, signal),
    })),
  },
  {
    fault: 'brings messages of other topics',
    found: ['messages of one topic do not come to another'],
    breaking: breakLinks((link) => ({
      subscribe: (_, options, signal) => link.subscribe(['tests/#'], options, signal),
    })),
  },
  {
    fault: 'knows no bound for what is in work',
    found: ['no more than maxInWork deliveries are in work at once'],
    breaking: breakLinks((link) => ({
      subscribe: (topics, { group }, signal) => link.subscribe(topics, { group, maxInWork: 1000 }, signal),
    })),
  },
  {
    fault: 'acknowledges what nobody has acknowledged',
    found: [
      'what was not acknowledged comes again on the next link',
      'no more than maxInWork deliveries are in work at once',
    ],
    breaking: breakDeliveries((delivery) => {
      delivery.ack()
      return {}
    }),
  },
  {
    fault: 'takes nack() for ack()',
    found: [
      'nack() brings it again after the delay, marked as redelivered',
      'what was given back comes again on the next link when the link ends first',
    ],
    breaking: breakDeliveries((delivery) => ({ nack: () => delivery.ack() })),
  },
  {
    fault: 'brings it again at once after nack()',
    found: ['nack() brings it again after the delay, marked as redelivered'],
    breaking: breakDeliveries((delivery) => ({ nack: () => delivery.nack() })),
  },
  {
    fault: 'does not mark what comes again',
    found: ['nack() brings it again after the delay, marked as redelivered'],
    breaking: breakDeliveries(() => ({ redelivered: false })),
  },
  {
    fault: 'goes on after its reader has left',
    found: ['leaving the loop ends the subscription, and no other'],
    breaking: breakLinks((link) => ({
      subscribe: async (topics, options, signal) => {
        const stream = mapped(await link.subscribe(topics, options, signal), (delivery) => delivery)
        return { ...stream, return: async () => ({ done: true, value: undefined }) }
      },
    })),
  },
  {
    fault: 'ends all subscriptions when one reader leaves',
    found: ['leaving the loop ends the subscription, and no other'],
    breaking: breakLinks((link) => {
      const abort = new AbortController()
      return {
        subscribe: async (topics, options) => {
          const stream = await link.subscribe(topics, options, abort.signal)
          return {
            ...mapped(stream, (delivery) => delivery),
            return: async () => {
              abort.abort()
              return { done: true, value: undefined }
            },
          }
        },
      }
    }),
  },
  {
    fault: 'ignores that subscribe() was aborted',
    found: [
      'aborting subscribe() rejects, and the link lives',
      'aborting subscribe() works while the broker is silent',
      'aborting ends the stream, and the link lives',
    ],
    breaking: breakLinks((link) => ({
      subscribe: (topics, options) => link.subscribe(topics, options, never),
    })),
  },
  {
    fault: 'throws from its streams when the link ends',
    found: ['streams end with the link, without an error'],
    breaking: breakLinks((link) => ({
      subscribe: async (topics, options, signal) => {
        const stream = await link.subscribe(topics, options, signal)
        const next = async () => {
          const result = await stream.next()
          if (result.done === true) throw new BackhaulError('LINK_LOST', 'Cannot read: the link is lost')
          return result
        }
        return { ...mapped(stream, (delivery) => delivery), next }
      },
    })),
  },
]

/** All of them; the rest is in `broken-links.ts`. */
export const BROKEN_MESSAGING: readonly Broken[] = [...PUBLISHING, ...SUBSCRIBING]
