import type { KeyObject } from 'node:crypto'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { Duplex } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'

import { BackhaulError } from '../contract/index.ts'
import type { FileMaterial, PemMaterial } from './material.ts'

// Checks of certificates and keys before they are used: OpenSSL's own errors do not tell a missing passphrase from a
// wrong one, and its context takes an RSA key with an EC certificate without a word.

/**
 * The certificates of a PEM text in their order, at least one.
 *
 * @throws BackhaulError `KEY_INVALID`.
 */
export function certificatesIn(material: PemMaterial): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = material.text.match(
    /-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]*-----END \1?CERTIFICATE-----/g,
  )
  const [first, ...rest] = (blocks ?? []).map((block) => parseCertificate(block, material))
  if (first !== undefined) return [first, ...rest]
  const state = material.text.includes('PRIVATE KEY-----')
    ? 'it holds a private key and no certificate, give the certificate here and the key in "key"'
    : 'it holds no certificate in PEM, give text that begins with -----BEGIN CERTIFICATE-----'
  throw new BackhaulError('KEY_INVALID', `Cannot use ${material.label}: ${state}`)
}

function parseCertificate(block: string, material: PemMaterial): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch (cause) {
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot use ${material.label}: a certificate in it is damaged, copy it anew`,
      cause,
    )
  }
}

/**
 * Opens a private key in PEM.
 *
 * @throws BackhaulError `KEY_INVALID`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`.
 */
export function openPrivateKey(material: PemMaterial, passphrase: string | undefined): KeyObject {
  const { text, label } = material
  const block = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----([^]*?)-----END \1PRIVATE KEY-----/.exec(text)
  if (block === null) {
    const state = text.includes('BEGIN CERTIFICATE-----')
      ? 'it holds a certificate and no private key, give the key here and the certificate in "cert"'
      : 'it holds no private key in PEM, give text that begins with -----BEGIN PRIVATE KEY-----'
    throw new BackhaulError('KEY_INVALID', `Cannot use ${label}: ${state}`)
  }
  const [pem, kind, body = ''] = block
  const isEncrypted = kind === 'ENCRYPTED ' || body.includes('ENCRYPTED')
  if (isEncrypted && passphrase === undefined) {
    throw new BackhaulError(
      'PASSPHRASE_MISSING',
      `Cannot use ${label}: it is encrypted and there is no passphrase, give "passphraseFile" or "passphrase"`,
    )
  }
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch (cause) {
    // a wrong passphrase now and then decrypts to rubbish, so that any failure may be its doing
    if (isEncrypted && (kind !== 'ENCRYPTED ' || isWholeDer(body))) throw wrongPassphrase(label, cause)
    throw new BackhaulError(
      'KEY_INVALID',
      `Cannot use ${label}: it is damaged or of an unknown kind, copy it anew`,
      cause,
    )
  }
}

/**
 * Checks that a key is the first certificate's.
 *
 * @throws BackhaulError `KEY_MISMATCH`.
 */
export function checkPair(
  certificates: readonly [X509Certificate, ...X509Certificate[]],
  certificateLabel: string,
  key: KeyObject,
  keyLabel: string,
): void {
  const [own, ...chain] = certificates
  if (own.checkPrivateKey(key)) return
  const fix = chain.some((certificate) => certificate.checkPrivateKey(key))
    ? "the key belongs to a later certificate of it, put the client's own certificate first"
    : 'give the pair that was made together'
  throw new BackhaulError(
    'KEY_MISMATCH',
    `Cannot use ${certificateLabel}: ${keyLabel} does not belong to it, ${fix}`,
  )
}

/**
 * Checks that a certificate of ours is valid now.
 *
 * @throws BackhaulError `CERTIFICATE_EXPIRED`, `CERTIFICATE_NOT_YET_VALID`.
 */
export function checkDates(certificate: X509Certificate, label: string, nowMs: number): void {
  const [fromMs, toMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  const now = dateText(nowMs)
  if (nowMs < fromMs) {
    throw new BackhaulError(
      'CERTIFICATE_NOT_YET_VALID',
      `Cannot use ${label}: it is valid from ${dateText(fromMs)} on and this machine's clock says ${now}, set the clock or wait`,
    )
  }
  if (nowMs > toMs) {
    throw new BackhaulError(
      'CERTIFICATE_EXPIRED',
      `Cannot use ${label}: it ended at ${dateText(toMs)} and this machine's clock says ${now}, renew the certificate`,
    )
  }
}

/**
 * Opens a PKCS#12 bundle and gives the certificate of its key.
 *
 * @throws BackhaulError `KEY_INVALID`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`.
 */
export function openBundle({ bytes, label }: FileMaterial, passphrase: string | undefined): X509Certificate {
  try {
    const pfx = Buffer.from(bytes)
    const secureContext = createSecureContext({
      pfx,
      ca: [],
      ...(passphrase !== undefined && { passphrase }),
    })
    // a socket is the one documented way to the certificate of a context; this one is never connected
    const socket = new TLSSocket(new Duplex({ read: nothing, write: nothing }), { secureContext })
    const certificate = socket.getX509Certificate()
    socket.destroy()
    if (certificate === undefined) throw new Error('no certificate')
    return certificate
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : ''
    if (/mac verify failure/i.test(reason)) {
      if (passphrase !== undefined) throw wrongPassphrase(label, cause)
      throw new BackhaulError(
        'PASSPHRASE_MISSING',
        `Cannot use ${label}: it is encrypted and there is no passphrase, give "passphraseFile" or "passphrase"`,
        cause,
      )
    }
    const state = /unsupported/i.test(reason)
      ? 'its encryption is too old for OpenSSL 3, export it again with AES-256'
      : 'it is not a PKCS#12 bundle with a certificate and its key, export it again'
    throw new BackhaulError('KEY_INVALID', `Cannot use ${label}: ${state}`, cause)
  }
}

/** Subject of a certificate on one line. */
export function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.split('\n').join(', ')
}

function wrongPassphrase(label: string, cause: unknown): BackhaulError {
  return new BackhaulError(
    'PASSPHRASE_WRONG',
    `Cannot use ${label}: the passphrase does not open it, give the one that it was made with`,
    cause,
  )
}

/** True where the base 64 text is one complete ASN.1 sequence: nothing was cut off or lost. */
function isWholeDer(base64: string): boolean {
  const bytes = Buffer.from(base64, 'base64')
  const first = bytes[1] ?? 0
  if (bytes[0] !== 0x30 || first === 0x80 || first > 0x84) return false
  const size = first < 0x80 ? 0 : first - 0x80
  if (bytes.length < 2 + size) return false
  const length = size === 0 ? first : bytes.readUIntBE(2, size)
  return bytes.length === 2 + size + length
}

function dateText(ms: number): string {
  return new Date(ms).toISOString()
}

function nothing(): void {
  // nobody reads or writes it
}
