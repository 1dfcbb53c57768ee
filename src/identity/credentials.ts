import process from 'node:process'

import type { Auth, Credentials, CredentialsSource, TlsSettings } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { AuthOptions, TlsOptions } from '../kit/security-options.ts'
import { tlsOptionsSchema } from '../kit/security-options.ts'
import { certificatesIn, checkDates, checkPair, openBundle, openPrivateKey, subjectOf } from './key-pair.ts'
import type { ReadOptions } from './material.ts'
import { readMaterial, readPem, readSecret } from './material.ts'
import { readRevocationLists } from './revocation-list.ts'
import { tokenByCommand, tokenByFunction } from './token.ts'
import { checkTlsParameters } from './tls-parameters.ts'

/** What credentials are made from. */
export interface CredentialsOptions {
  /** The `tls` block, checked by its schema, or `undefined` where there is none. */
  readonly tls: TlsOptions | undefined
  /** The `auth` block, checked by its schema, or `undefined` where there is none. */
  readonly auth: AuthOptions | undefined
  /** Whether the address is one with TLS. */
  readonly secure: boolean
  /** Folder that relative paths start from. @default the working directory */
  readonly baseFolder?: string | undefined
  /** Milliseconds since 1970, to judge our own certificate by. @default Date.now */
  readonly now?: (() => number) | undefined
}

/**
 * Makes the function that a connection asks for credentials at each dial. It reads every file anew, so that a renewed
 * certificate takes effect at the next dial, asks for a token anew, and checks all it reads. It throws `BackhaulError` with `FILE_UNREADABLE`, `KEY_INVALID`,
 * `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`, `KEY_MISMATCH`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_NOT_YET_VALID` or
 * `ABORTED`; no error ever holds a secret.
 *
 * @throws BackhaulError `INVALID_OPTIONS`, at once, for options that contradict each other or that OpenSSL does not know.
 */
export function credentialsSource(options: CredentialsOptions): CredentialsSource {
  const { secure, auth, now = Date.now } = options
  if (options.tls !== undefined && !secure) {
    throw invalid(
      'the address is plaintext, use one with TLS (for example mqtts://) or leave the "tls" block out',
    )
  }
  const tls = secure ? (options.tls ?? tlsOptionsSchema.parse({})) : undefined
  if (tls !== undefined) {
    checkTogether(tls)
    checkTlsParameters(tls)
  }
  if (auth !== undefined) checkOneSecret(auth)
  const baseFolder = options.baseFolder ?? process.cwd()
  return async (signal): Promise<Credentials> => {
    try {
      signal.throwIfAborted()
      const read = { baseFolder, signal }
      return {
        tls: tls && (await tlsSettings(tls, read, now)),
        auth: auth && (await authOf(auth, read)),
      }
    } catch (error) {
      if (error instanceof BackhaulError || !signal.aborted) throw error
      throw new BackhaulError('ABORTED', 'Cannot read the credentials: the caller gave up, call again', error)
    }
  }
}

function checkOneSecret(auth: AuthOptions): void {
  const names = ['password', 'passwordFile', 'tokenCommand', 'token'] as const
  const given = names.filter((name) => auth[name] !== undefined)
  if (given.length < 2) return
  throw invalid(`both "${given[0]}" and "${given[1]}" are given, leave one out`)
}

function checkTogether(tls: TlsOptions): void {
  if (tls.pfx !== undefined && (tls.cert !== undefined || tls.key !== undefined)) {
    throw invalid('"pfx" stands beside "cert" or "key", give the bundle or the pair')
  }
  if (tls.cert !== undefined && tls.key === undefined) {
    throw invalid('"cert" is given without its private key, add "key"')
  }
  if (tls.key !== undefined && tls.cert === undefined) {
    throw invalid('"key" is given without its certificate, add "cert"')
  }
  if (tls.passphrase !== undefined && tls.passphraseFile !== undefined) {
    throw invalid('both "passphrase" and "passphraseFile" are given, leave one out')
  }
  if (tls.crl !== undefined && tls.insecureSkipVerify) {
    throw invalid(
      '"crl" is given and "insecureSkipVerify" is true, so that nothing is checked, leave one out',
    )
  }
  const hasPassphrase = tls.passphrase !== undefined || tls.passphraseFile !== undefined
  if (hasPassphrase && tls.key === undefined && tls.pfx === undefined) {
    throw invalid('there is a passphrase and nothing that it opens, add "key" and "cert", or "pfx"')
  }
}

async function tlsSettings(tls: TlsOptions, read: ReadOptions, now: () => number): Promise<TlsSettings> {
  const own = await ownIdentity(tls, read, now)
  return {
    ...own,
    ca: await trustedOnes(tls.ca, read),
    crl: tls.crl === undefined ? undefined : await readRevocationLists(tls.crl, read),
    serverName: tls.serverName,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ciphers: tls.ciphers,
    curves: tls.curves,
    insecureSkipHostName: tls.insecureSkipHostName,
    insecureSkipVerify: tls.insecureSkipVerify,
  }
}

type OwnIdentity = Pick<TlsSettings, 'cert' | 'key' | 'pfx' | 'passphrase' | 'ownSubject' | 'expiresAtMs'>

const NOBODY: OwnIdentity = {
  cert: undefined,
  key: undefined,
  pfx: undefined,
  passphrase: undefined,
  ownSubject: undefined,
  expiresAtMs: undefined,
}

async function ownIdentity(tls: TlsOptions, read: ReadOptions, now: () => number): Promise<OwnIdentity> {
  const passphrase =
    tls.passphraseFile === undefined
      ? tls.passphrase
      : await readSecret('passphraseFile', tls.passphraseFile, read)
  if (tls.pfx !== undefined) {
    const bundle = await readMaterial('pfx', tls.pfx, read)
    const certificate = openBundle(bundle, passphrase)
    checkDates(certificate, bundle.label, now())
    return { ...NOBODY, pfx: bundle.bytes, passphrase, ...factsOf(certificate) }
  }
  if (tls.cert === undefined || tls.key === undefined) return NOBODY
  const cert = await readPem('cert', tls.cert, read)
  const key = await readPem('key', tls.key, read)
  const certificates = certificatesIn(cert)
  checkPair(certificates, cert.label, openPrivateKey(key, passphrase), key.label)
  const [certificate] = certificates
  checkDates(certificate, cert.label, now())
  return { ...NOBODY, cert: cert.text, key: key.text, passphrase, ...factsOf(certificate) }
}

function factsOf(
  certificate: Parameters<typeof subjectOf>[0],
): Pick<OwnIdentity, 'ownSubject' | 'expiresAtMs'> {
  return { ownSubject: subjectOf(certificate), expiresAtMs: Date.parse(certificate.validTo) }
}

async function trustedOnes(ca: TlsOptions['ca'], read: ReadOptions): Promise<readonly string[] | undefined> {
  if (ca === undefined) return undefined
  const texts: string[] = []
  for (const value of typeof ca === 'string' ? [ca] : ca) {
    const material = await readPem('ca', value, read)
    texts.push(...certificatesIn(material).map((certificate) => certificate.toString()))
  }
  return texts
}

async function authOf(auth: AuthOptions, read: ReadOptions): Promise<Auth> {
  return { user: auth.user ?? '', password: await secretOf(auth, read) }
}

async function secretOf(auth: AuthOptions, read: ReadOptions): Promise<string | undefined> {
  const { password, passwordFile, tokenCommand, token, tokenTimeoutMs } = auth
  if (passwordFile !== undefined) return readSecret('passwordFile', passwordFile, read)
  if (tokenCommand !== undefined) return tokenByCommand(tokenCommand, tokenTimeoutMs, read)
  if (token !== undefined) return tokenByFunction(token, tokenTimeoutMs, read.signal)
  return password
}

function invalid(state: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', `Cannot use the security options: ${state}`)
}
