import type { KafkaOptions } from '../../../src/adaptors/kafka/index.ts'
import { kafka } from '../../../src/adaptors/kafka/index.ts'
import type { Auth, DialRequest, Link, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER } from '../support.ts'

export { message, publish, subscribe, take, text, tlsFrom, words } from '../support.ts'

/** The drivers. */
export type KafkaDriver = KafkaOptions['driver']

/** How a test dials. */
export interface DialOptions {
  /** Kafka's own options. */
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
): DialRequest<KafkaOptions> {
  return { options: kafka.options(parseAddress(url), options), tls, auth }
}

/** Dials through the adaptor. */
export function dial(url: string, options: DialOptions = {}): Promise<Link> {
  return kafka.dial(requestFor(url, options), NEVER)
}

/** Dials through the adaptor with one of its drivers. */
export function dialAs(driver: KafkaDriver): (url: string, how?: DialOptions) => Promise<Link> {
  return (url, { options, ...more } = {}) => dial(url, { ...more, options: { driver, ...options } })
}
