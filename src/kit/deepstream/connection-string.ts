/** Host, port and what may follow, as DeepStream writes them: `host;port`. */
export interface BrokerAddress {
  /** Name or address of the broker. */
  readonly host: string
  /** Its port. */
  readonly port: number
  /** The deprecated fields after it. */
  readonly more: readonly string[]
}

/**
 * Reads a connection string of host, port and at most `maxMore` further fields. Blanks around host and port do no harm.
 *
 * @returns a phrase where it is none
 */
export function parseConnectionString(text: string, maxMore: number): BrokerAddress | string {
  if (/<[a-z0-9 -]+>/i.test(text)) return 'is still a placeholder, write for example broker.example;1883'
  const [host = '', port, ...more] = text.split(';')
  if (more.length > maxMore) return `has ${more.length + 1} semicolons, write host;port`
  if (port === undefined) return 'has no port, write host;port'
  if (host.trim() === '') return 'has no host, write host;port'
  if (port.trim() === '') return 'has no port, write host;port'
  return addressOf(host, port, more)
}

/** Puts a host and a port together; a phrase where they are none. */
export function addressOf(host: string, port: string, more: readonly string[] = []): BrokerAddress | string {
  const number = /^\s*\d{1,5}\s*$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) return 'has a port that is none, write a number from 1 to 65535'
  if (/[\s/?#@]/.test(host.trim())) return 'has a host that is none, write a name or an address'
  return { host: host.trim(), port: number, more }
}

/** Host and port as an address has them. */
export function hostPort({ host, port }: Pick<BrokerAddress, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
