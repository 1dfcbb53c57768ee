// oxlint-disable-next-line import/no-unassigned-import -- tsyringe, under @peculiar/x509, needs it before anything else
import 'reflect-metadata'

import { KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509'

import { BackhaulError } from '../contract/index.ts'

const DAY_MS = 86_400_000
/** Certificates start a little in the past, so that a peer whose clock is behind accepts them at once. */
const CLOCK_TOLERANCE_MS = 300_000

const ALGORITHMS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  },
} as const

/** Kinds of key that an authority makes: `ec` is ECDSA on P-256, `rsa` is RSA with 2048 bits. */
export type KeyType = keyof typeof ALGORITHMS

/** What an authority is made with. */
export interface AuthorityOptions {
  /** Common name of the CA, 1 to 64 characters. */
  readonly commonName: string
  /** Kind of the CA's own key. @default 'ec' */
  readonly keyType?: KeyType
  /** Start of its validity. @default five minutes ago */
  readonly notBefore?: Date
  /** End of its validity. @default ten years from now */
  readonly notAfter?: Date
}

/** What a certificate is for: a broker (`serverAuth`) or a device or user (`clientAuth`). */
export type CertificateProfile = 'server' | 'client'

/** What to issue. */
export interface IssueRequest {
  /** Common name, 1 to 64 characters. Brokers that map certificates to users read it as the user's name. */
  readonly commonName: string
  /** What it is for. */
  readonly profile: CertificateProfile
  /** DNS names and IP addresses that it is valid for. A server needs at least one. */
  readonly hosts?: readonly string[]
  /** Kind of its key. @default 'ec' */
  readonly keyType?: KeyType
  /** Start of its validity. @default five minutes ago */
  readonly notBefore?: Date
  /** End of its validity. @default 90 days from now */
  readonly notAfter?: Date
}

/** What a list of revoked certificates says. */
export interface RevocationRequest {
  /** The revoked certificates in PEM. */
  readonly revoked: readonly string[]
  /** When the list is of. @default five minutes ago */
  readonly notBefore?: Date
  /** When a newer one follows: it is not valid any longer then. @default 7 days from now */
  readonly notAfter?: Date
}

/** A certificate with the key that was made for it. Holds a secret: never log one. */
export interface IssuedCertificate {
  /** The certificate, and after it any intermediate ones, in PEM. */
  readonly certificatePem: string
  /** The private key, PKCS#8 in PEM, not encrypted. */
  readonly keyPem: string
}

/** A certificate authority for development, demonstrations and tests. Its key lives in memory only. */
export interface Authority {
  /** The CA's own certificate in PEM: what others trust. */
  readonly certificatePem: string
  /**
   * Makes a key and a certificate for it.
   *
   * @throws BackhaulError `INVALID_OPTIONS` when the request makes no sense.
   */
  issue(request: IssueRequest): Promise<IssuedCertificate>
  /** Makes the list of revoked certificates, in PEM. */
  revocationList(request: RevocationRequest): Promise<string>
}

/** See `createAuthority()` in create-authority.ts. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const { commonName, keyType = 'ec' } = options
  const validity = validityOf(options, 3650 * DAY_MS)
  checkCommonName(commonName)
  const keys = await generateKeys(keyType)
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...validity,
      serialNumber: randomSerial(),
      name: nameOf(commonName),
      signingAlgorithm: ALGORITHMS[keyType],
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  const issuer: Issuer = { certificate, signingKey: keys.privateKey, signingAlgorithm: ALGORITHMS[keyType] }
  return {
    certificatePem: pemOf(certificate),
    issue: (request) => issue(issuer, request),
    revocationList: (request) => revoke(issuer, request),
  }
}

interface Issuer {
  readonly certificate: X509Certificate
  readonly signingKey: webcrypto.CryptoKey
  readonly signingAlgorithm: (typeof ALGORITHMS)[KeyType]
}

async function issue(issuer: Issuer, request: IssueRequest): Promise<IssuedCertificate> {
  const { commonName, profile, hosts = [], keyType = 'ec' } = request
  const validity = validityOf(request, 90 * DAY_MS)
  checkCommonName(commonName)
  if (profile === 'server' && hosts.length === 0) {
    throw invalid(`the server certificate "${commonName}" names no host, give at least one in hosts`)
  }
  const keys = await generateKeys(keyType)
  const certificate = await X509CertificateGenerator.create(
    {
      ...validity,
      serialNumber: randomSerial(),
      subject: nameOf(commonName),
      issuer: issuer.certificate.subjectName,
      publicKey: keys.publicKey,
      signingKey: issuer.signingKey,
      signingAlgorithm: issuer.signingAlgorithm,
      extensions: await leafExtensions(issuer, keys.publicKey, profile, hosts),
    },
    webcrypto,
  )
  return {
    certificatePem: pemOf(certificate),
    keyPem: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

async function revoke(issuer: Issuer, request: RevocationRequest): Promise<string> {
  const { notBefore, notAfter } = validityOf(request, 7 * DAY_MS)
  const list = await X509CrlGenerator.create(
    {
      issuer: issuer.certificate.subjectName,
      thisUpdate: notBefore,
      nextUpdate: notAfter,
      entries: request.revoked.map((pem) => ({
        serialNumber: new X509Certificate(pem).serialNumber,
        revocationDate: notBefore,
      })),
      signingKey: issuer.signingKey,
      signingAlgorithm: issuer.signingAlgorithm,
    },
    webcrypto,
  )
  return `${list.toString('pem').replaceAll(' CRL-----', ' X509 CRL-----')}\n`
}

async function leafExtensions(
  issuer: Issuer,
  publicKey: webcrypto.CryptoKey,
  profile: CertificateProfile,
  hosts: readonly string[],
): Promise<Extension[]> {
  const purpose = profile === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([purpose]),
    await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
    await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey, false, webcrypto),
  ]
  if (hosts.length > 0) {
    const names = hosts.map((value) => ({ type: isIP(value) > 0 ? 'ip' : 'dns', value }) as const)
    extensions.push(new SubjectAlternativeNameExtension(names))
  }
  return extensions
}

function generateKeys(keyType: KeyType): Promise<webcrypto.CryptoKeyPair> {
  return keyType === 'ec'
    ? webcrypto.subtle.generateKey(ALGORITHMS.ec, true, ['sign', 'verify'])
    : webcrypto.subtle.generateKey(ALGORITHMS.rsa, true, ['sign', 'verify'])
}

/** As typed UTF-8: the library reads escapes and quotes in plain text as syntax. */
function nameOf(commonName: string): Name {
  return new Name([{ CN: [{ utf8String: commonName }] }])
}

/** 126 random bits, positive and never zero, as RFC 5280 asks. */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function validityOf(
  { notBefore, notAfter }: { readonly notBefore?: Date; readonly notAfter?: Date },
  lengthMs: number,
): { notBefore: Date; notAfter: Date } {
  const start = notBefore ?? new Date(Date.now() - CLOCK_TOLERANCE_MS)
  const end = notAfter ?? new Date(Date.now() + lengthMs)
  if (!(start.getTime() < end.getTime())) {
    throw invalid('notBefore is not before notAfter, give a start that lies before the end')
  }
  return { notBefore: start, notAfter: end }
}

function checkCommonName(commonName: string): void {
  if (commonName.length === 0 || commonName.length > 64) {
    throw invalid(`the common name "${commonName}" is not 1 to 64 characters long, choose another one`)
  }
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

function invalid(why: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', `Cannot make a certificate: ${why}`)
}
