import type { AmqpOptions } from '../../../src/adaptors/amqp/index.ts'
import { amqp } from '../../../src/adaptors/amqp/index.ts'
import type { Auth, Deliveries, Delivery, DialRequest, Link, Outcome } from '../../../src/contract/index.ts'
import type { TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER } from '../support.ts'

export { message, NEVER, publish, text, tlsFrom } from '../support.ts'

/** How a test dials. */
export interface DialOptions {
  /** AMQP's own options. */
  readonly options?: Readonly<Record<string, unknown>>
  /** TLS, for addresses that want it. */
  readonly tls?: TlsSettings | undefined
  /** User and password. */
  readonly auth?: Auth | undefined
}

/** What the adaptor dials with. */
export function requestFor(
  url: string,
  { options = {}, tls, auth }: DialOptions = {},
): DialRequest<AmqpOptions> {
  return { options: amqp.options(parseAddress(url), options), tls, auth }
}

/** Dials through the adaptor. */
export function dial(url: string, options: DialOptions = {}): Promise<Link> {
  return amqp.dial(requestFor(url, options), NEVER)
}

/** What became of each message, in words. */
export function words(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) =>
    outcome.kind === 'refused' ? `refused ${outcome.scope} ${outcome.error.code}` : outcome.kind,
  )
}

/** Subscribes. */
export function subscribe(link: Link, topics: readonly string[], group?: string): Promise<Deliveries> {
  return link.subscribe(topics, { group, maxInWork: 100 }, NEVER)
}

/** Takes `count` deliveries, acknowledging each unless told otherwise. */
export async function take(deliveries: Deliveries, count: number, acknowledge = true): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const next = await deliveries.next()
    if (next.done === true) throw new Error(`the stream ended after ${taken.length} of ${count}`)
    if (acknowledge) next.value.ack()
    taken.push(next.value)
  }
  return taken
}
