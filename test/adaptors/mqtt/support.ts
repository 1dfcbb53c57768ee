import { mqtt } from '../../../src/adaptors/mqtt/index.ts'
import type { Auth, Deliveries, Delivery, Link, Outcome, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER } from '../support.ts'

export { message, NEVER, publish, text, tlsFrom } from '../support.ts'

/** How a test dials. */
export interface DialOptions {
  /** MQTT's own options. */
  readonly options?: Readonly<Record<string, unknown>>
  /** TLS, for addresses that want it. */
  readonly tls?: TlsSettings
  /** User and password. */
  readonly auth?: Auth
  /** Gives up. */
  readonly signal?: AbortSignal
}

/** Dials through the adaptor. */
export function dial(
  url: string,
  { options = {}, tls, auth, signal = NEVER }: DialOptions = {},
): Promise<Link> {
  return mqtt.dial({ options: mqtt.options(parseAddress(url), options), tls, auth }, signal)
}

/** What became of each message, in a word. */
export function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => outcome.kind)
}

/** Subscribes without a group. */
export function subscribe(link: Link, topics: readonly string[], maxInWork = 100): Promise<Deliveries> {
  return link.subscribe(topics, { group: undefined, maxInWork }, NEVER)
}

/** Takes `count` deliveries, acknowledging each unless told otherwise. */
export async function take(deliveries: Deliveries, count: number, acknowledge = true): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const next = await deliveries.next()
    if (next.done === true) break
    if (acknowledge) next.value.ack()
    taken.push(next.value)
  }
  return taken
}
