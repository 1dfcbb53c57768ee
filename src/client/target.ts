import { isIP } from 'node:net'

import type {
  Adaptor,
  Address,
  CredentialsSource,
  OptionProblem,
  UnfoldedOptions,
} from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { credentialsSource } from '../identity/index.ts'
import { parseAddress } from '../kit/address.ts'
import { readOptions } from '../kit/options.ts'
import { authInputSchema, tlsOptionsSchema } from '../kit/security-options.ts'
import { adaptorFor } from './adaptors.ts'
import type { ConnectionOptions, ConnectionOptionsInput } from './options.ts'
import { connectionOptionsSchema } from './options.ts'

/** What an address and its options come to: everything that a connection is made of. */
export interface Target {
  /** The address without password and query. */
  readonly display: string
  /** The adaptor that serves it. */
  readonly adaptor: Adaptor
  /** The adaptor's own options, normalised. */
  readonly adaptorOptions: unknown
  /** The options of the connection, checked, with those of the address's query merged in. */
  readonly options: ConnectionOptions
  /** Whether the link is encrypted, or stays inside this process. */
  readonly secure: boolean
  /** Sentences for whoever wrote the options, each to be said once. */
  readonly notes: readonly string[]
  /** Makes the credentials of each dial. */
  readonly credentials: CredentialsSource
  /** What tells the credentials of two targets apart. Holds secrets. */
  readonly secrets: unknown
}

/**
 * Checks an address and its options, and loads the adaptor.
 *
 * TLS settings may stand in the address's query under their own names (`?ca=ca.pem`), as may the adaptor's options.
 *
 * @throws BackhaulError `INVALID_ADDRESS`, `INVALID_OPTIONS`, `PLAINTEXT_CREDENTIALS`.
 */
export async function resolveTarget(text: string, input: ConnectionOptionsInput): Promise<Target> {
  const address = parseAddress(text)
  const { adaptor: custom, ...given } = input
  const adaptor = await adaptorFor(address, custom)
  const transport = adaptor.schemes[address.scheme]
  const [tlsQuery, ownQuery] = splitQuery(address)
  const own = ownOptions(adaptor, { ...address, query: ownQuery }, input)
  const options = readOptions(
    connectionOptionsSchema,
    {
      ...given,
      ...(typeof input.outbox === 'string' && { outbox: { path: input.outbox } }),
      ...blockOf('tls', own.tls, { ...tlsQuery, ...input.tls }, address.display),
      ...blockOf(
        'auth',
        own.auth,
        address.user === undefined ? input.auth : authOf(address, input),
        address.display,
      ),
    },
    `the options of "${address.display}"`,
  )
  if (options.tls !== undefined && transport !== 'tls') {
    const why =
      transport === 'plaintext'
        ? `${address.scheme}:// is plaintext, write ${address.scheme}s://`
        : `${address.scheme}: never leaves this process, leave them out`
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use TLS settings with "${address.display}": ${why}`,
      undefined,
      { problems: [problem('tls', `is for TLS, and ${why}`)] },
    )
  }
  if (options.share && options.auth?.token !== undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use the options of "${address.display}": nobody can tell whether two functions give equal tokens, leave out "share", or use "tokenCommand" for "token"`,
      undefined,
      {
        problems: [
          problem('share', 'does not go with "auth.token", leave one out, or use auth.tokenCommand'),
        ],
      },
    )
  }
  refusePlaintextPassword(address, options, transport === 'plaintext')
  const adaptorOptions = adaptor.options(own.address, own.config)
  return {
    display: address.display,
    adaptor,
    adaptorOptions,
    notes: adaptor.notes?.(adaptorOptions) ?? [],
    options,
    secure: transport !== 'plaintext',
    credentials: credentialsSource({ tls: options.tls, auth: options.auth, secure: transport === 'tls' }),
    secrets: [options.tls, options.auth],
  }
}

/** The adaptor's own options, without what it has of the `tls` and `auth` blocks in its own words. */
function ownOptions(
  adaptor: Adaptor,
  address: Address,
  { options = {} }: ConnectionOptionsInput,
): { readonly address: Address } & UnfoldedOptions {
  const isTwice = Object.keys(address.query).some((name) => Object.hasOwn(options, name))
  if (adaptor.unfold === undefined || isTwice) return { address, config: options, tls: {}, auth: {} }
  const bare = { ...address, query: {} }
  return { address: bare, ...adaptor.unfold(bare, { ...address.query, ...options }) }
}

/** A block of security with what the adaptor's options say of it; nothing may be said twice. */
function blockOf(
  block: 'tls' | 'auth',
  unfolded: Readonly<Record<string, string>>,
  given: object | undefined,
  display: string,
): Record<string, unknown> {
  const names = Object.keys(unfolded)
  if (names.length === 0)
    return given === undefined || Object.keys(given).length === 0 ? {} : { [block]: given }
  const twice = names.find((name) => given !== undefined && name in given)
  if (twice !== undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use the options of "${display}": "${block}.${twice}" is given twice, in its own place and as a property, keep one of them`,
      undefined,
      { problems: [problem(block, `has "${twice}", which a property says too, keep one of them`)] },
    )
  }
  return { [block]: { ...given, ...unfolded } }
}

function problem(block: string, text: string): OptionProblem {
  return { path: [block], kind: 'invalid', text, nearest: undefined }
}

/** The address's query, split into TLS settings and the adaptor's own options. */
function splitQuery(address: Address): [tls: Record<string, string>, own: Record<string, string>] {
  const tls: Record<string, string> = {}
  const own: Record<string, string> = {}
  for (const [name, value] of Object.entries(address.query)) {
    if (Object.hasOwn(tlsOptionsSchema.shape, name)) tls[name] = value
    else own[name] = value
  }
  return [tls, own]
}

function authOf(address: Address, input: ConnectionOptionsInput): object {
  if (input.auth !== undefined) {
    throw new BackhaulError(
      'INVALID_OPTIONS',
      `Cannot use the options of "${address.display}": the address names a user and so does "auth", keep one of them`,
      undefined,
      { problems: [problem('auth', 'names a user, and so does the address, keep one of them')] },
    )
  }
  return readOptions(
    authInputSchema,
    { user: address.user, ...(address.password !== undefined && { password: address.password }) },
    `the user in "${address.display}"`,
  )
}

function refusePlaintextPassword(address: Address, options: ConnectionOptions, plaintext: boolean): void {
  if (!plaintext || options.auth === undefined || options.allowPlaintextCredentials) return
  const remote = address.hosts.find(({ host }) => !isLoopback(host))
  if (remote === undefined) return
  throw new BackhaulError(
    'PLAINTEXT_CREDENTIALS',
    `Cannot send a password to "${remote.host}" in plaintext: use ${address.scheme}s://, or say allowPlaintextCredentials: true`,
  )
}

/** Whether a host is this machine itself, by its literal name or address. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
