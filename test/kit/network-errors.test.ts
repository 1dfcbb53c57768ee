import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ErrorCode } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import type { NetworkContext } from '../../src/kit/network-errors.ts'
import { networkError, systemCode } from '../../src/kit/network-errors.ts'

function withCode(code: string, message = 'no text counts'): Error {
  return Object.assign(new Error(message), { code })
}

const CASES: readonly (readonly [code: string, context: Partial<NetworkContext>, expected: ErrorCode])[] = [
  ['ECONNREFUSED', { phase: 'connect' }, 'UNREACHABLE'],
  ['EHOSTUNREACH', { phase: 'connect' }, 'UNREACHABLE'],
  ['ENOTFOUND', { phase: 'connect' }, 'NAME_NOT_FOUND'],
  ['EAI_AGAIN', { phase: 'connect' }, 'NAME_NOT_FOUND'],
  ['ETIMEDOUT', { phase: 'connect' }, 'TIMEOUT'],
  ['ECONNRESET', { phase: 'connect' }, 'UNREACHABLE'],
  ['ECONNRESET', { phase: 'handshake' }, 'UNREACHABLE'],
  ['ECONNRESET', { keysAgreed: true, offeredCertificate: true }, 'CLIENT_CERTIFICATE_REFUSED'],
  ['ECONNRESET', { phase: 'answer' }, 'UNREACHABLE'],
  ['ECONNRESET', { phase: 'open' }, 'LINK_LOST'],
  ['EPIPE', { phase: 'open' }, 'LINK_LOST'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', { phase: 'handshake' }, 'TLS_NOT_SPOKEN'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', { phase: 'open' }, 'LINK_LOST'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', { phase: 'answer' }, 'CLIENT_CERTIFICATE_REQUIRED'],
  [
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    { phase: 'answer', offeredCertificate: true },
    'CLIENT_CERTIFICATE_REFUSED',
  ],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', { offeredCertificate: true }, 'CLIENT_CERTIFICATE_REFUSED'],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', { offeredCertificate: false }, 'CLIENT_CERTIFICATE_REQUIRED'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', { keysAgreed: false }, 'TLS_FAILED'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', { keysAgreed: true }, 'CLIENT_CERTIFICATE_REQUIRED'],
  [
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    { keysAgreed: true, offeredCertificate: true },
    'CLIENT_CERTIFICATE_REFUSED',
  ],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', {}, 'TLS_FAILED'],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', {}, 'TLS_FAILED'],
  ['SELF_SIGNED_CERT_IN_CHAIN', {}, 'SERVER_UNTRUSTED'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', {}, 'SERVER_UNTRUSTED'],
  ['CERT_HAS_EXPIRED', {}, 'SERVER_CERTIFICATE_EXPIRED'],
  ['CERT_NOT_YET_VALID', {}, 'SERVER_CERTIFICATE_EXPIRED'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', {}, 'SERVER_NAME_MISMATCH'],
  ['ERR_SSL_NO_CIPHER_MATCH', { phase: 'settings' }, 'INVALID_OPTIONS'],
  ['ERR_OSSL_BAD_DECRYPT', { phase: 'settings' }, 'PASSPHRASE_WRONG'],
  ['ERR_OSSL_X509_KEY_VALUES_MISMATCH', { phase: 'settings' }, 'KEY_MISMATCH'],
  ['ERR_OSSL_PEM_NO_START_LINE', { phase: 'settings' }, 'KEY_INVALID'],
  ['ABORT_ERR', { phase: 'connect' }, 'ABORTED'],
]

test('networkError() gives the code, and the fix in words, for each of them', () => {
  for (const [code, context, expected] of CASES) {
    const cause = withCode(code)
    const error = networkError(cause, { address: 'broker:8883', phase: 'handshake', ...context })
    assert.equal(error.code, expected, code)
    assert.match(error.message, /^Cannot [^:]+broker:8883: .+, .+[^.]$/s, code)
    assert.equal(error.cause, cause)
  }
})

test('networkError() takes the code of the first address out of an AggregateError', () => {
  const cause = new AggregateError([withCode('ECONNREFUSED'), withCode('ENETUNREACH')])
  assert.equal(systemCode(cause), 'ECONNREFUSED')
  assert.equal(networkError(cause, { address: 'a:1', phase: 'connect' }).code, 'UNREACHABLE')
})

test('networkError() names the names that a certificate is for', () => {
  const cause = Object.assign(withCode('ERR_TLS_CERT_ALTNAME_INVALID'), {
    cert: { subjectaltname: 'DNS:elsewhere.example' },
  })
  const error = networkError(cause, { address: 'broker:8883', phase: 'handshake' })
  assert.match(error.message, /"DNS:elsewhere\.example"/)
})

test('networkError() reads a silent end by how far the connection had come', () => {
  assert.equal(networkError(undefined, { address: 'a:1', phase: 'answer' }).code, 'UNREACHABLE')
  assert.equal(networkError(undefined, { address: 'a:1', phase: 'open' }).code, 'LINK_LOST')
})

test('networkError() gives a BackhaulError back as it is', () => {
  const error = new BackhaulError('CLOSED', 'Cannot go on: it was closed, open a new one')
  assert.equal(networkError(error, { address: 'a:1', phase: 'open' }), error)
})
