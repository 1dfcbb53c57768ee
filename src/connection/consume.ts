import type { ReceivedDelivery, Subscription } from './subscription.ts'

/** How a handler is called. */
export interface ConsumeOptions {
  /** How many calls may run at once. With 1 they run in the order of arrival. @default 1 */
  readonly concurrency?: number | undefined
  /** Ends it: nothing more is handed out, running calls finish, then the subscription is left. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Calls `handler` for every delivery: acknowledged when it returns, given back when it throws.
 *
 * Fulfils when the subscription has ended, by whatever way, and the last call has finished. To end it so that running calls
 * can acknowledge, abort `signal`, or call the subscription's `stop()`; its `unsubscribe()` takes their deliveries away.
 *
 * @throws BackhaulError when the broker does not grant the topics any more.
 */
export async function consume(
  subscription: Subscription,
  handler: (delivery: ReceivedDelivery) => void | Promise<void>,
  { concurrency = 1, signal }: ConsumeOptions = {},
): Promise<void> {
  const stop = () => subscription.stop()
  if (signal?.aborted === true) stop()
  else signal?.addEventListener('abort', stop, { once: true })
  const workers = Array.from({ length: concurrency }, () => work(subscription, handler))
  const ends = await Promise.allSettled(workers)
  signal?.removeEventListener('abort', stop)
  if (signal?.aborted === true) await subscription.unsubscribe()
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

async function work(
  subscription: Subscription,
  handler: (delivery: ReceivedDelivery) => void | Promise<void>,
): Promise<void> {
  for (;;) {
    const { value: delivery, done } = await subscription.next()
    if (done === true) return
    try {
      const working = handler(delivery)
      // a handler that is done already costs no turn of its own
      if (working !== undefined) await working
      delivery.ack()
    } catch (error) {
      delivery.nack(undefined, error)
    }
  }
}
