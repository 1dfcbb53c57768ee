import type { AmqpOptions } from '../../../src/adaptors/amqp/index.ts'
import { amqp } from '../../../src/adaptors/amqp/index.ts'
import type { Auth, DialRequest, Link, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER } from '../support.ts'

export { message, NEVER, publish, subscribe, take, text, tlsFrom, words } from '../support.ts'

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
