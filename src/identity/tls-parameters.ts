import { createSecureContext, getCiphers } from 'node:tls'

import { BackhaulError, TLS_VERSIONS } from '../contract/index.ts'
import { suggestion } from '../kit/nearest.ts'
import type { TlsOptions } from '../kit/security-options.ts'

const USUAL_CURVES = ['X25519', 'X448', 'P-256', 'P-384', 'P-521', 'prime256v1', 'secp384r1', 'secp521r1']

/**
 * Checks versions, cipher list and curves by themselves. OpenSSL passes over an unknown name in a list, so that each
 * is tried alone.
 *
 * @throws BackhaulError `INVALID_OPTIONS`.
 */
export function checkTlsParameters({ minVersion, maxVersion, ciphers, curves }: TlsOptions): void {
  if (TLS_VERSIONS.indexOf(minVersion) > TLS_VERSIONS.indexOf(maxVersion)) {
    throw invalid(
      `"minVersion" ${minVersion} is above "maxVersion" ${maxVersion}, swap them or leave one out`,
    )
  }
  for (const word of ciphers?.split(/[:, ]+/) ?? []) checkCipher(word)
  if (ciphers !== undefined && !isAccepted({ ciphers })) {
    throw invalid(`"ciphers" leaves no cipher suite, name at least one to use`)
  }
  for (const curve of curves?.split(':') ?? []) {
    if (isAccepted({ ecdhCurve: curve })) continue
    throw invalid(
      `"curves" names "${curve}", which OpenSSL does not know${suggestion(curve, USUAL_CURVES) || ', known are for example X25519 and P-256'}`,
    )
  }
}

function checkCipher(word: string): void {
  // taking away what is not there is no mistake: a list may serve several versions of OpenSSL
  if (word === '' || /^[!-]/.test(word) || word === '@STRENGTH') return
  const level = /^@SECLEVEL=(\d)$/.exec(word)?.[1]
  if (level === '0') {
    throw invalid('"ciphers" has @SECLEVEL=0, which allows suites without encryption, use 1 or more')
  }
  if (level !== undefined || isAccepted({ ciphers: word.replace(/^\+/, '') })) return
  const known = getCiphers().map((name) => name.toUpperCase())
  throw invalid(
    `"ciphers" names "${word}", which OpenSSL does not know${suggestion(word, known) || ', see the list of: openssl ciphers -v ALL'}`,
  )
}

function isAccepted(options: { readonly ciphers: string } | { readonly ecdhCurve: string }): boolean {
  try {
    createSecureContext({ ca: [], ...options })
    return true
  } catch {
    return false
  }
}

function invalid(state: string): BackhaulError {
  return new BackhaulError('INVALID_OPTIONS', `Cannot use the TLS options: ${state}`)
}
