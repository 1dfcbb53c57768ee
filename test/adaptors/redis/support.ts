import type { RedisOptions } from '../../../src/adaptors/redis/index.ts'
import { redis } from '../../../src/adaptors/redis/index.ts'
import type { Auth, DialRequest, Link, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import { NEVER } from '../support.ts'

export { message, publish, subscribe, take, text, tlsFrom, words } from '../support.ts'

/** The password of every user of the real broker that has one. */
export const PASSWORD = 'hunter2-right'
/** A user who may do everything. */
export const ANN: Auth = { user: 'ann', password: PASSWORD }

/** How a test dials. */
export interface DialOptions {
  /** Redis's own options. */
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
): DialRequest<RedisOptions> {
  return { options: redis.options(parseAddress(url), options), tls, auth }
}

/** Dials through the adaptor. */
export function dial(url: string, options: DialOptions = {}): Promise<Link> {
  return redis.dial(requestFor(url, options), NEVER)
}
