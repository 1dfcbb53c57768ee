import type { ErrorCode } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'

/*
 * Node reports a failed connection by the codes of the system (ECONNREFUSED), of the resolver (ENOTFOUND), of
 * certificate checks (CERT_HAS_EXPIRED) and of OpenSSL (ERR_SSL_..._ALERT_...). This file is the one place that knows
 * them. What an alert means depends on how far the connection had come: the phase says it.
 */

/** What is known about a connection that failed. */
export interface NetworkContext {
  /** Host and port, for the text. */
  readonly address: string
  /**
   * How far it had come: `settings` (nothing was sent), `connect` (TCP), `handshake` (TLS), `answer` (waiting for the
   * first word of the protocol; TLS 1.3 refuses a client certificate only here), `open` (it had been in use).
   */
  readonly phase: 'settings' | 'connect' | 'handshake' | 'answer' | 'open'
  /** True where a client certificate was offered. */
  readonly offeredCertificate?: boolean
  /** True where both sides had agreed on keys, so that a later "handshake failure" is about the client certificate. */
  readonly keysAgreed?: boolean
}

type Meaning = readonly [code: ErrorCode, words: string]

const UNREACHABLE_WORDS = 'there is no way to it, check the network, the firewall and the address'
const UNTRUSTED =
  'its certificate was not issued by a CA that is trusted here, give its CA certificate as tls.ca'
const NOT_TLS = 'the port does not speak TLS, dial the TLS port or use the plaintext address form'

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: ['UNREACHABLE', 'nothing listens there, check that the broker runs, and the port'],
  EHOSTUNREACH: ['UNREACHABLE', UNREACHABLE_WORDS],
  ENETUNREACH: ['UNREACHABLE', UNREACHABLE_WORDS],
  EHOSTDOWN: ['UNREACHABLE', UNREACHABLE_WORDS],
  ENETDOWN: ['UNREACHABLE', UNREACHABLE_WORDS],
  EADDRNOTAVAIL: ['UNREACHABLE', UNREACHABLE_WORDS],
  EACCES: ['UNREACHABLE', 'the system forbids it, check the firewall and the rights of this process'],
  EPERM: ['UNREACHABLE', 'the system forbids it, check the firewall and the rights of this process'],
  EMFILE: ['UNREACHABLE', 'this process has too many open files, raise its limit (ulimit -n)'],
  ENOTFOUND: ['NAME_NOT_FOUND', 'the host name does not resolve, check its spelling and DNS'],
  EAI_AGAIN: ['NAME_NOT_FOUND', 'the DNS server does not answer, check the network and DNS'],
  EAI_NODATA: ['NAME_NOT_FOUND', 'the host name has no address, check its spelling and DNS'],
  EAI_NONAME: ['NAME_NOT_FOUND', 'the host name does not resolve, check its spelling and DNS'],
  EAI_FAIL: ['NAME_NOT_FOUND', 'the DNS server failed, check DNS'],
  ETIMEDOUT: ['TIMEOUT', 'it does not answer, check the network and the firewall'],
  ERR_SOCKET_CONNECTION_TIMEOUT: ['TIMEOUT', 'it does not answer, check the network and the firewall'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['TLS_NOT_SPOKEN', NOT_TLS],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['TLS_NOT_SPOKEN', NOT_TLS],
  ERR_SSL_UNEXPECTED_MESSAGE: ['TLS_NOT_SPOKEN', NOT_TLS],
  ERR_SSL_RECORD_LAYER_FAILURE: ['TLS_NOT_SPOKEN', NOT_TLS],
  ERR_SSL_HTTP_REQUEST: ['TLS_NOT_SPOKEN', NOT_TLS],
  UNABLE_TO_GET_ISSUER_CERT: ['SERVER_UNTRUSTED', UNTRUSTED],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['SERVER_UNTRUSTED', UNTRUSTED],
  SELF_SIGNED_CERT_IN_CHAIN: ['SERVER_UNTRUSTED', UNTRUSTED],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['SERVER_UNTRUSTED', `it shows a self-signed certificate: ${UNTRUSTED}`],
  CERT_UNTRUSTED: ['SERVER_UNTRUSTED', UNTRUSTED],
  CERT_SIGNATURE_FAILURE: ['SERVER_UNTRUSTED', 'the signature of its certificate is wrong, check tls.ca'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'SERVER_UNTRUSTED',
    'its certificate cannot be traced to a trusted CA, give its CA as tls.ca, or have it send its intermediate certificate',
  ],
  INVALID_CA: ['SERVER_UNTRUSTED', 'its certificate was issued by one that is no CA, have it issued anew'],
  INVALID_PURPOSE: ['SERVER_UNTRUSTED', 'its certificate is not for servers, have it issued for serverAuth'],
  CERT_REVOKED: ['SERVER_UNTRUSTED', 'its certificate is revoked, have it issued anew at the broker'],
  UNABLE_TO_GET_CRL: [
    'SERVER_UNTRUSTED',
    'tls.crl has no revocation list of the CA that issued its certificate, or of one above that, add it',
  ],
  CRL_HAS_EXPIRED: [
    'SERVER_UNTRUSTED',
    'a revocation list in tls.crl has ended, fetch the new one of the CA',
  ],
  CRL_NOT_YET_VALID: [
    'SERVER_UNTRUSTED',
    "a revocation list in tls.crl is not valid yet, set this machine's clock",
  ],
  CRL_SIGNATURE_FAILURE: [
    'SERVER_UNTRUSTED',
    'the signature of a revocation list in tls.crl is wrong, fetch it anew from the CA',
  ],
  CERT_HAS_EXPIRED: [
    'SERVER_CERTIFICATE_EXPIRED',
    "its certificate has ended, renew it at the broker, or set this machine's clock",
  ],
  CERT_NOT_YET_VALID: [
    'SERVER_CERTIFICATE_EXPIRED',
    "its certificate is not valid yet, set this machine's clock, or wait",
  ],
  ERR_SSL_NO_SUITABLE_GROUPS: [
    'TLS_FAILED',
    'tls.curves names none that the highest TLS version allowed has, name X25519 or P-256 too',
  ],
  ERR_SSL_NO_CIPHER_MATCH: [
    'INVALID_OPTIONS',
    'tls.ciphers names no cipher suite that is known here, mend it',
  ],
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: [
    'TLS_FAILED',
    'the TLS versions allowed here exclude each other, compare tls.minVersion and tls.maxVersion',
  ],
  ERR_SSL_UNSUPPORTED_PROTOCOL: [
    'TLS_FAILED',
    'it speaks no TLS version that is allowed here, see tls.minVersion and tls.maxVersion',
  ],
  ERR_OSSL_BAD_DECRYPT: [
    'PASSPHRASE_WRONG',
    'the passphrase does not open the private key, give the right one',
  ],
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: [
    'KEY_MISMATCH',
    'the private key does not belong to the certificate, give the pair that was made together',
  ],
}

const REFUSED_CERTIFICATE =
  'it does not accept our certificate, have it issued for clients by a CA that the broker trusts'

/** Alerts by their name in OpenSSL, after `ALERT_`. */
const ALERTS: Readonly<Record<string, Meaning>> = {
  CERTIFICATE_REQUIRED: [
    'CLIENT_CERTIFICATE_REQUIRED',
    'it demands a client certificate, give tls.cert and tls.key',
  ],
  UNKNOWN_CA: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  BAD_CERTIFICATE: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  UNSUPPORTED_CERTIFICATE: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  CERTIFICATE_UNKNOWN: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  DECRYPT_ERROR: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  ACCESS_DENIED: ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE],
  CERTIFICATE_EXPIRED: ['CLIENT_CERTIFICATE_REFUSED', 'it says that our certificate has ended, renew it'],
  CERTIFICATE_REVOKED: [
    'CLIENT_CERTIFICATE_REFUSED',
    'it says that our certificate is revoked, get a new one',
  ],
  UNRECOGNIZED_NAME: [
    'SERVER_NAME_MISMATCH',
    'it does not know the name it was asked for, see tls.serverName',
  ],
  PROTOCOL_VERSION: [
    'TLS_FAILED',
    'it does not speak the TLS versions offered, compare tls.minVersion and tls.maxVersion with the broker',
  ],
  INSUFFICIENT_SECURITY: [
    'TLS_FAILED',
    'it asks for stronger cipher suites, compare tls.ciphers with the broker',
  ],
}

/** The code that Node gave an error, or that of the first one inside an `AggregateError`; `''` for none. */
export function systemCode(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return ''
  if ('code' in cause && typeof cause.code === 'string') return cause.code
  return cause instanceof AggregateError ? systemCode(cause.errors[0]) : ''
}

/**
 * Translates an error of a socket, of TLS or of the resolver, with the fix in words.
 * A `BackhaulError` comes back as it is.
 *
 * @param cause - what Node gave; `undefined` where the peer closed the connection without a word
 */
export function networkError(cause: unknown, context: NetworkContext): BackhaulError {
  if (cause instanceof BackhaulError) return cause
  const [code, words] = meaningOf(cause, context)
  return new BackhaulError(code, `Cannot ${intention(context)}: ${words}`, cause)
}

function intention(context: NetworkContext): string {
  return context.phase === 'open' ? `go on with ${context.address}` : `connect to ${context.address}`
}

function meaningOf(cause: unknown, context: NetworkContext): Meaning {
  const code = systemCode(cause)
  if (code === 'ABORT_ERR') return ['ABORTED', 'the caller gave up, call again']
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') return wrongName(cause)
  const alert = /_ALERT_([A-Z_]+)$/.exec(code)?.[1]
  if (alert !== undefined) return meaningOfAlert(alert, context)
  const known = MEANINGS[code]
  // records that cannot be read mean "no TLS" only before anything had been understood
  if (known !== undefined && !(known[0] === 'TLS_NOT_SPOKEN' && context.phase !== 'handshake')) return known
  if (context.phase === 'settings') return meaningOfSettings(code, cause)
  if (context.phase === 'handshake' && isLoss(code) && leftAfterOurCertificate(context)) {
    // TLS 1.2: all was agreed, then the peer left without an alert, as a server in Node does
    return ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE]
  }
  if (context.phase === 'handshake' && !isLoss(code)) {
    return [
      'TLS_FAILED',
      `the TLS handshake failed (${code || textOf(cause)}), compare the TLS settings of both sides`,
    ]
  }
  if (context.phase === 'open') {
    const why = code === '' || isLoss(code) ? 'the connection was cut' : `the connection failed (${code})`
    return ['LINK_LOST', `${why}, it is dialled again by itself`]
  }
  return [
    'UNREACHABLE',
    'it closed the connection before it answered, check that the broker runs, and the port',
  ]
}

function meaningOfAlert(alert: string, context: NetworkContext): Meaning {
  const known = ALERTS[alert]
  if (known?.[0] === 'CLIENT_CERTIFICATE_REFUSED' && context.offeredCertificate === false) {
    return ALERTS['CERTIFICATE_REQUIRED'] ?? known
  }
  if (known !== undefined) return known
  if (alert === 'HANDSHAKE_FAILURE') {
    // TLS 1.2 has no alert of its own for a client certificate that is missing
    if (context.keysAgreed === true) {
      return context.offeredCertificate === true
        ? ['CLIENT_CERTIFICATE_REFUSED', REFUSED_CERTIFICATE]
        : ['CLIENT_CERTIFICATE_REQUIRED', 'it demands a client certificate, give tls.cert and tls.key']
    }
    return [
      'TLS_FAILED',
      'it has no cipher suite, curve or certificate kind in common with us, compare tls.ciphers and tls.curves',
    ]
  }
  const words = alert.toLowerCase().replaceAll('_', ' ')
  return ['TLS_FAILED', `it ended TLS with the alert "${words}", compare the TLS settings of both sides`]
}

function meaningOfSettings(code: string, cause: unknown): Meaning {
  const text = textOf(cause)
  if (/mac verify failure/i.test(text)) {
    return ['PASSPHRASE_WRONG', 'the passphrase does not open the PKCS#12 file, give the right one']
  }
  if (/ECDH|curve|group/i.test(text)) {
    return ['INVALID_OPTIONS', 'tls.curves names a curve that is not known here, mend it']
  }
  if (code.startsWith('ERR_OSSL')) {
    return [
      'KEY_INVALID',
      `the key, certificate or CA cannot be read (${code}), give PEM text or a PKCS#12 file`,
    ]
  }
  return ['INVALID_OPTIONS', `the TLS settings are not accepted here (${code || text}), mend them`]
}

function wrongName(cause: unknown): Meaning {
  const names =
    typeof cause === 'object' && cause !== null && 'cert' in cause ? subjectNames(cause.cert) : undefined
  const is = names === undefined ? 'its certificate is for another name' : `its certificate is for ${names}`
  return ['SERVER_NAME_MISMATCH', `${is}, dial that name, or set tls.serverName`]
}

function subjectNames(certificate: unknown): string | undefined {
  if (typeof certificate !== 'object' || certificate === null) return undefined
  const names: unknown = Reflect.get(certificate, 'subjectaltname')
  return typeof names === 'string' && names !== '' ? `"${names}"` : undefined
}

function isLoss(code: string): boolean {
  return code === '' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED'
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'no reason given'
}

function leftAfterOurCertificate(context: NetworkContext): boolean {
  return context.keysAgreed === true && context.offeredCertificate === true
}
