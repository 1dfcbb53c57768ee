import type { Command } from 'commander'

import type { Client } from '../client/index.ts'
import type { ConnectionOptionsInput } from '../client/options.ts'
import type { Peer } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { parseAddress } from '../kit/address.ts'
import type { Deadline } from './deadline.ts'
import type { CliIo } from './io.ts'
import { oneLine } from './print-error.ts'
import { durationArgument, listArgument, pairArgument } from './usage.ts'

/** The options that pub and sub have in common. */
export interface ConnectFlags {
  /** CA certificates to trust. */
  readonly ca?: string[]
  /** Revocation lists. */
  readonly crl?: string[]
  /** Client certificate. */
  readonly cert?: string
  /** Private key. */
  readonly key?: string
  /** PKCS#12 file. */
  readonly pfx?: string
  /** File with the passphrase of the key. */
  readonly passphraseFile?: string
  /** Name in the broker's certificate. */
  readonly serverName?: string
  /** The broker's certificate is not verified. */
  readonly insecureSkipVerify?: boolean
  /** The user. */
  readonly user?: string
  /** File with the password. */
  readonly passwordFile?: string
  /** A password may travel in plaintext. */
  readonly allowPlaintextCredentials?: boolean
  /** The protocol's own options. */
  readonly option?: Record<string, string>
  /** Limit of the whole work in milliseconds. */
  readonly deadline?: number
  /** Errors as JSON, and more. */
  readonly json?: boolean
  /** No notes on stderr. */
  readonly quiet?: boolean
}

/** Adds the common options to a command. */
export function addConnectFlags(command: Command): Command {
  return command
    .option('--ca <file>', 'CA certificate to trust, PEM; may be given many times', listArgument)
    .option('--crl <file>', 'revocation list of the CA; may be given many times', listArgument)
    .option('--cert <file>', 'client certificate and its chain, PEM')
    .option('--key <file>', 'private key of the client certificate, PEM')
    .option('--pfx <file>', 'PKCS#12 file, in place of --cert and --key')
    .option('--passphrase-file <file>', 'file whose first line opens the private key')
    .option('--server-name <name>', "name to verify in the broker's certificate, in place of the host")
    .option('--insecure-skip-verify', "do not verify the broker's certificate; never in production")
    .option('--user <name>', 'user, where the address names none')
    .option('--password-file <file>', 'file whose first line is the password')
    .option('--allow-plaintext-credentials', 'let a password travel in plaintext beyond this machine')
    .option(
      '-o, --option <name=value>',
      "one of the protocol's own options, for example qos=2; may be given many times",
      pairArgument,
    )
    .option('--deadline <time>', 'give up after this time in all, for example 5s', durationArgument)
    .option('-q, --quiet', 'no notes on stderr, only errors')
}

/** The address and options of `connect()` that the command line asks for. */
export function connectArguments(
  url: string,
  flags: ConnectFlags,
): [address: string, options: ConnectionOptionsInput] {
  const tls = {
    ...(flags.ca !== undefined && { ca: flags.ca }),
    ...(flags.crl !== undefined && { crl: flags.crl }),
    ...(flags.cert !== undefined && { cert: flags.cert }),
    ...(flags.key !== undefined && { key: flags.key }),
    ...(flags.pfx !== undefined && { pfx: flags.pfx }),
    ...(flags.passphraseFile !== undefined && { passphraseFile: flags.passphraseFile }),
    ...(flags.serverName !== undefined && { serverName: flags.serverName }),
    ...(flags.insecureSkipVerify === true && { insecureSkipVerify: true }),
  }
  const [address, auth] = userOf(url, flags)
  return [
    address,
    {
      ...(Object.keys(tls).length > 0 && { tls }),
      ...(auth !== undefined && { auth }),
      ...(flags.allowPlaintextCredentials === true && { allowPlaintextCredentials: true }),
      options: flags.option ?? {},
    },
  ]
}

/** The longest that `connect()` may be told to wait, in milliseconds. */
export const LONGEST_CONNECT_MS = 3_600_000

/** Within a deadline, connecting has all of it; without one, what `connect()` takes by itself. */
export function connectLimit(deadline: Deadline): { connectTimeoutMs?: number } {
  const leftMs = deadline.leftMs()
  return leftMs === undefined ? {} : { connectTimeoutMs: Math.min(leftMs, LONGEST_CONNECT_MS) }
}

/** The user may stand in the address while the password comes from a file: then both go into `auth`. */
function userOf(url: string, flags: ConnectFlags): [address: string, auth: ConnectionOptionsInput['auth']] {
  if (flags.passwordFile === undefined) {
    return [url, flags.user === undefined ? undefined : { user: flags.user }]
  }
  const { user: userInAddress, password } = parseAddress(url)
  if (password !== undefined) {
    throw new BackhaulError(
      'USAGE',
      'Cannot use --password-file: the address has a password already, keep one of them',
    )
  }
  const user = flags.user ?? userInAddress
  if (user === undefined) {
    throw new BackhaulError('USAGE', 'Cannot use --password-file: no user is named, add --user NAME')
  }
  const address = flags.user === undefined ? url.replace(/\/\/[^/?]*@/, '//') : url
  return [address, { user, passwordFile: flags.passwordFile }]
}

/** Warns of a password on the command line, once. */
export function warnOfPassword(url: string, io: CliIo, flags: ConnectFlags): void {
  if (flags.quiet === true || parseAddress(url).password === undefined) return
  io.stderr.write(
    'warning: the address holds a password, which every user of this machine can see: use --password-file\n',
  )
}

/** Tells on stderr where the connection stands, at each change, until it is closed. */
export async function noteStatus(client: Client, io: CliIo, flags: ConnectFlags): Promise<void> {
  if (flags.quiet === true) return
  for (const note of client.notes) io.stderr.write(`note: ${oneLine(note)}\n`)
  for await (const status of client.status()) {
    if (status.state === 'connected') io.stderr.write(`connected: ${describePeer(status.peer)}\n`)
    if (status.state === 'lost') io.stderr.write(`lost: ${oneLine(status.error.message)}\n`)
    if (status.state === 'waiting' || status.state === 'refused') {
      io.stderr.write(`${status.state}: ${status.error.code}: ${oneLine(status.error.message)}\n`)
    }
  }
}

/** Who is at the other end, in one line. */
export function describePeer({ protocol, address, tls }: Peer): string {
  if (tls === undefined) return oneLine(`${protocol} to ${address}, not encrypted`)
  const own = tls.own === undefined ? 'no client certificate' : `as "${tls.own}"`
  const verified = tls.verified ? '' : ', NOT VERIFIED'
  return oneLine(
    `${protocol} to ${address}, ${tls.version} ${tls.cipher}, broker "${tls.peer}"${verified}, ${own}`,
  )
}
