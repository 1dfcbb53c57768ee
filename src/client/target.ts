import { isIP } from 'node:net'

import type { Adaptor, Address, CredentialsSource, OptionProblem } from '../contract/index.ts'
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
  const options = readOptions(
    connectionOptionsSchema,
    {
      ...given,
      ...(typeof input.outbox === 'string' && { outbox: { path: input.outbox } }),
      ...(Object.keys(tlsQuery).length > 0 && { tls: { ...tlsQuery, ...input.tls } }),
      ...(address.user !== undefined && { auth: authOf(address, input) }),
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
  return {
    display: address.display,
    adaptor,
    adaptorOptions: adaptor.options({ ...address, query: ownQuery }, options.options),
    options,
    secure: transport !== 'plaintext',
    credentials: credentialsSource({ tls: options.tls, auth: options.auth, secure: transport === 'tls' }),
    secrets: [options.tls, options.auth],
  }
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

function authOf(address: Address, input: ConnectionOptionsInput): unknown {
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
