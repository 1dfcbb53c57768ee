import { readFileSync } from 'node:fs'

import type { KafkaOptions } from '../../../src/adaptors/kafka/index.ts'
import { kafka } from '../../../src/adaptors/kafka/index.ts'
import type { Auth, DialRequest, TlsSettings } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { PairFiles } from '../../pki.ts'

/** TLS settings from files. */
export function tlsFrom(ca: string, pair?: PairFiles, more: Partial<TlsSettings> = {}): TlsSettings {
  return {
    ca: [readFileSync(ca, 'utf8')],
    cert: pair && readFileSync(pair.cert, 'utf8'),
    key: pair && readFileSync(pair.key, 'utf8'),
    pfx: undefined,
    passphrase: undefined,
    serverName: undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: undefined,
    curves: undefined,
    insecureSkipVerify: false,
    ownSubject: pair && 'CN=test',
    expiresAtMs: undefined,
    ...more,
  }
}

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
