/** TLS protocol versions that can be asked for. */
export const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
/** One of {@link TLS_VERSIONS}. */
export type TlsVersion = (typeof TLS_VERSIONS)[number]

/**
 * TLS settings with all material read into memory and checked, ready for Node's `tls.connect()`.
 * `identity/` makes them from files, inline PEM or PKCS#12 at each dial. Holds secrets: never log one.
 */
export interface TlsSettings {
  /** CA certificates in PEM; `undefined` means Node's own list. */
  readonly ca: readonly string[] | undefined
  /** Revocation lists in PEM that the broker's certificate is checked against; `undefined` means none. */
  readonly crl: readonly string[] | undefined
  /** Client certificate chain in PEM. */
  readonly cert: string | undefined
  /** Private key in PEM, perhaps encrypted. */
  readonly key: string | undefined
  /** PKCS#12 bundle, in place of `cert` and `key`. */
  readonly pfx: Uint8Array | undefined
  /** Passphrase of `key` or `pfx`. */
  readonly passphrase: string | undefined
  /** Name to verify and to send as SNI; `undefined` means the host that is dialled. */
  readonly serverName: string | undefined
  /** Lowest version offered. */
  readonly minVersion: TlsVersion
  /** Highest version offered. */
  readonly maxVersion: TlsVersion
  /** OpenSSL cipher list; `undefined` means Node's own. */
  readonly ciphers: string | undefined
  /** Colon-separated curves; `undefined` means Node's own. */
  readonly curves: string | undefined
  /** True where the name in the broker's certificate is not verified, only who issued it. Shows in health. */
  readonly insecureSkipHostName: boolean
  /** True where the broker's certificate is not verified. Shows in health. */
  readonly insecureSkipVerify: boolean
  /** Subject of the client certificate, for status. */
  readonly ownSubject: string | undefined
  /** When the client certificate ends, in milliseconds since 1970. */
  readonly expiresAtMs: number | undefined
}

/** User and password for a broker. Holds a secret: never log one. */
export interface Auth {
  /** The user's name; empty where a token says who it is. */
  readonly user: string
  /** The password, or the token. */
  readonly password: string | undefined
}

/** What one dial authenticates with. */
export interface Credentials {
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
}

/** Makes the credentials of one dial. Called at every dial, so that a changed file takes effect at the next. */
export type CredentialsSource = (signal: AbortSignal) => Promise<Credentials>
