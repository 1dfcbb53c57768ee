import type { Deliveries, Delivery, Link } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import { AsyncQueue } from '../../../src/kit/async-queue.ts'
import type { Breaking } from './breaking.ts'
import { breakDeliveries, breakLinks, mapped, weaker, withDelivery } from './breaking.ts'
import type { Broken } from './broken-adaptors.ts'

/** Breaks something of every stream. */
function breakStreams(change: (stream: Deliveries, link: Link) => Partial<Deliveries>): Breaking {
  return breakLinks((link) => ({
    subscribe: async (topics, options, signal) => {
      const stream = await link.subscribe(topics, options, signal)
      return { ...mapped(stream, (delivery) => delivery), ...change(stream, link) }
    },
  }))
}

/** Breaks the acknowledgement: `change` sees all deliveries of the stream that are open, oldest first. */
function breakAcks(change: (delivery: Delivery, open: Delivery[]) => void): Breaking {
  return breakLinks((link) => ({
    subscribe: async (topics, options, signal) => {
      const open: Delivery[] = []
      return mapped(await link.subscribe(topics, options, signal), (delivery) => {
        open.push(delivery)
        return withDelivery(delivery, { ack: () => change(delivery, open) })
      })
    },
  }))
}

/** Hands deliveries of all streams of a link over one at a time, in the order in which they came. */
function oneAtATime(): Breaking {
  return breakLinks((link) => {
    let turn = Promise.resolve()
    return {
      subscribe: async (topics, options, signal) => {
        const stream = await link.subscribe(topics, options, signal)
        const handed = new AsyncQueue<Delivery>(async () => void (await stream.return?.()))
        const pull = async () => {
          for await (const delivery of stream) {
            handed.push(delivery)
            const before = turn
            turn = before.then(() => taken(handed))
            await turn
          }
          handed.end()
        }
        void pull()
        return handed
      },
    }
  })
}

async function taken(queue: AsyncQueue<Delivery>): Promise<void> {
  for (let tries = 0; queue.length > 0 && tries < 1000; tries += 1) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (queue.length > 0) await new Promise(() => undefined)
}

/** Runs `late` when nobody has read a stream for a while. */
function whenUnread(ms: number, late: (link: Link) => void): Breaking {
  return breakStreams((stream, link) => {
    const timer = setTimeout(() => late(link), ms)
    void link.lost.then(() => clearTimeout(timer))
    return {
      next: () => {
        clearTimeout(timer)
        return stream.next()
      },
    }
  })
}

function emptyStream(): Deliveries {
  const queue = new AsyncQueue<Delivery>()
  queue.end()
  return queue
}

/** Gives an empty stream where the broker refuses with this code. */
function swallowing(code: BackhaulError['code']): Breaking {
  return breakLinks((link) => ({
    subscribe: async (topics, options, signal) => {
      try {
        return await link.subscribe(topics, options, signal)
      } catch (error) {
        if (error instanceof BackhaulError && error.code === code) return emptyStream()
        throw error
      }
    },
  }))
}

/** Faults of streams and of what hangs on them. */
export const BROKEN_STREAMS: readonly Broken[] = [
  {
    fault: 'subscribes to the first topic only',
    found: ['one subscription to several topics gets each of them'],
    breaking: breakLinks((link) => ({
      subscribe: (topics, options, signal) => link.subscribe(topics.slice(0, 1), options, signal),
    })),
  },
  {
    fault: 'takes a wildcard for one level as one for all',
    found: ['a pattern brings the topics that it matches and no others'],
    breaking: breakLinks((link) => ({
      subscribe: (topics, options, signal) =>
        link.subscribe(
          topics.map((topic) => topic.replace(/\+.*$/, '#')),
          options,
          signal,
        ),
    })),
  },
  {
    fault: 'forgets the group',
    found: ['members of a group share the messages'],
    breaking: breakLinks((link) => ({
      subscribe: (topics, { maxInWork }, signal) =>
        link.subscribe(topics, { group: undefined, maxInWork }, signal),
    })),
  },
  {
    fault: 'takes acknowledgements in order only',
    found: ['deliveries may be finished in any order'],
    breaking: breakAcks((delivery, open) => {
      if (open[0] === delivery) open.shift()?.ack()
    }),
  },
  {
    fault: 'acknowledges everything up to what was acknowledged',
    found: ['acknowledging a later message does not acknowledge an earlier one'],
    breaking: breakAcks((delivery, open) => {
      for (const earlier of open.splice(0, open.indexOf(delivery) + 1)) earlier.ack()
    }),
  },
  {
    fault: 'loses acknowledgements that it has not written when it ends',
    found: ['what was acknowledged does not come again, in whatever order it was'],
    breaking: breakDeliveries((delivery) => ({
      ack: () => void setTimeout(() => delivery.ack(), 60_000).unref(),
    })),
  },
  {
    fault: 'stands still while it waits to bring something again',
    found: ['a delivery that was given back holds up no other'],
    breaking: breakLinks((link) => ({
      subscribe: async (topics, options, signal) => {
        let wait = Promise.resolve()
        const stream = mapped(await link.subscribe(topics, options, signal), (delivery) =>
          withDelivery(delivery, {
            nack: (delayMs = 0) => {
              wait = new Promise((resolve) => void setTimeout(resolve, delayMs).unref())
              delivery.nack(delayMs)
            },
          }),
        )
        return { ...stream, next: () => wait.then(() => stream.next()) }
      },
    })),
  },
  {
    fault: 'lets nack() follow ack()',
    found: ['an acknowledgement counts once, and nothing after it'],
    breaking: breakDeliveries((delivery) => {
      let back = false
      return {
        ack: () => queueMicrotask(() => back || delivery.ack()),
        nack: (delayMs) => {
          back = true
          delivery.nack(delayMs)
        },
      }
    }),
  },
  {
    fault: 'hands deliveries of all subscriptions over in one line',
    found: ['a reader that does not read holds up nobody else'],
    breaking: oneAtATime(),
  },
  {
    fault: 'ends when a reader does not read for a while',
    found: ['a reader that does not read does not hold up the keep-alive'],
    breaking: whenUnread(100, (link) => void link.close()),
  },
  {
    fault: 'does not close before its readers have read',
    found: ['close() works with a reader that does not read'],
    breaking: breakLinks((link) => {
      const unread = new Set<Deliveries>()
      return {
        subscribe: async (topics, options, signal) => {
          const stream = await link.subscribe(topics, options, signal)
          unread.add(stream)
          return {
            ...mapped(stream, (delivery) => delivery),
            next: () => {
              unread.delete(stream)
              return stream.next()
            },
          }
        },
        close: () => (unread.size > 0 ? new Promise(() => undefined) : link.close()),
      }
    }),
  },
  {
    fault: 'ends its durable subscriptions with the link',
    found: [
      'a durable subscription keeps messages while its client is away',
      'what was not acknowledged comes again on the next link',
    ],
    breaking: breakLinks((link) => {
      const streams: Deliveries[] = []
      return {
        subscribe: async (topics, options, signal) => {
          const stream = await link.subscribe(topics, options, signal)
          streams.push(stream)
          return stream
        },
        close: async () => {
          for (const stream of streams) await stream.return?.()
          await link.close()
        },
      }
    }),
  },
  {
    fault: 'forgets what a lost member of a group had in work',
    found: ['another member of the group gets what a lost member had in work'],
    breaking: (harness) =>
      weaker({ ...harness, promises: { ...harness.promises, durableBy: 'group' } }, { redelivers: false }),
  },
  {
    fault: 'grants a forbidden subscription, which brings nothing',
    found: ['subscribing to a forbidden topic rejects with NOT_AUTHORIZED, and the link lives'],
    breaking: swallowing('NOT_AUTHORIZED'),
  },
  {
    fault: 'gives an empty stream on a dead link',
    found: ['subscribing on a link that has ended rejects'],
    breaking: swallowing('LINK_LOST'),
  },
  {
    fault: 'throws from ack() on a dead link',
    found: ['ack() and nack() on a dead link do nothing'],
    breaking: breakLinks((link) => {
      let dead = false
      void link.lost.then(() => (dead = true))
      return {
        subscribe: async (topics, options, signal) =>
          mapped(await link.subscribe(topics, options, signal), (delivery) =>
            withDelivery(delivery, {
              ack: () => {
                if (dead) throw new BackhaulError('LINK_LOST', 'Cannot acknowledge: the link is lost')
                delivery.ack()
              },
            }),
          ),
      }
    }),
  },
  {
    fault: 'has streams that outlive a lost link',
    mode: 'outage',
    found: ['a subscription ends with its link, however that ends'],
    breaking: breakStreams((stream) => ({
      next: async () => {
        const result = await stream.next()
        return result.done === true ? new Promise(() => undefined) : result
      },
    })),
  },
]
