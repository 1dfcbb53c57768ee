/** An address of a broker, taken apart by `parseAddress()` in `kit/`. */
export interface Address {
  /** The scheme in lower case, without the colon: `mqtts`. */
  readonly scheme: string
  /** Host and port of each broker named; IPv6 without brackets. Empty for `memory:`. */
  readonly hosts: readonly { readonly host: string; readonly port: number | undefined }[]
  /** The path with its leading slash, percent-decoded, or an empty string. */
  readonly path: string
  /** The user named in the address. */
  readonly user: string | undefined
  /** The password named in the address. A secret. */
  readonly password: string | undefined
  /** Query parameters. A repeated one is refused. */
  readonly query: Readonly<Record<string, string>>
  /** The address without its password and query, for messages and status. */
  readonly display: string
}
