import type { RedisOptions } from '../../../src/adaptors/redis/index.ts'
import { redis } from '../../../src/adaptors/redis/index.ts'
import type { Auth, DialRequest, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

export { tlsFrom } from '../support.ts'

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
