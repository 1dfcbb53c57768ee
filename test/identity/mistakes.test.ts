import assert from 'node:assert/strict'
import { chmod, readFile } from 'node:fs/promises'
import process from 'node:process'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'

import fc from 'fast-check'

import type { ErrorCode } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { credentialsSource } from '../../src/identity/index.ts'
import { authOptionsSchema, tlsOptionsSchema } from '../../src/kit/security-options.ts'
import { without } from '../brokers/index.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'

let pki: TestPki
let edge: PairFiles
let other: PairFiles
before(async () => {
  pki = await createTestPki()
  edge = await pki.client('edge-1')
  other = await pki.client('edge-2')
})
after(() => pki.close())

interface Given {
  readonly tls?: object
  readonly auth?: object
  readonly secure?: boolean
}

async function load({ tls, auth, secure = true }: Given): Promise<unknown> {
  const source = credentialsSource({
    tls: tls && tlsOptionsSchema.parse(tls),
    auth: auth && authOptionsSchema.parse(auth),
    secure,
  })
  return source(AbortSignal.timeout(10_000))
}

interface Mistake {
  /** What is wrong. */
  readonly what: string
  /** The options that have it. */
  readonly given: () => Given | Promise<Given>
  readonly code: ErrorCode
  /** What the message must say, the fix above all. */
  readonly says: RegExp
  readonly skip?: string | false
}

const text = (path: string) => readFile(path, 'utf8')

const mistakes: readonly Mistake[] = [
  {
    what: 'tls options for a plaintext address',
    given: () => ({ tls: {}, secure: false }),
    code: 'INVALID_OPTIONS',
    says: /the address is plaintext, use one with TLS/,
  },
  {
    what: 'a certificate without its key',
    given: () => ({ tls: { cert: edge.cert } }),
    code: 'INVALID_OPTIONS',
    says: /"cert" is given without its private key, add "key"/,
  },
  {
    what: 'a key without its certificate',
    given: () => ({ tls: { key: edge.key } }),
    code: 'INVALID_OPTIONS',
    says: /"key" is given without its certificate, add "cert"/,
  },
  {
    what: 'a bundle beside a pair',
    given: () => ({ tls: { ...edge, pfx: 'edge.p12' } }),
    code: 'INVALID_OPTIONS',
    says: /give the bundle or the pair/,
  },
  {
    what: 'two passphrases',
    given: () => ({ tls: { ...edge, passphrase: 'x', passphraseFile: 'y' } }),
    code: 'INVALID_OPTIONS',
    says: /both "passphrase" and "passphraseFile" are given/,
  },
  {
    what: 'a passphrase for nothing',
    given: () => ({ tls: { passphrase: 'x' } }),
    code: 'INVALID_OPTIONS',
    says: /nothing that it opens, add "key"/,
  },
  {
    what: 'two passwords',
    given: () => ({ auth: { user: 'ann', password: 'x', passwordFile: 'y' } }),
    code: 'INVALID_OPTIONS',
    says: /both "password" and "passwordFile"/,
  },
  {
    what: 'the lowest version above the highest',
    given: () => ({ tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }),
    code: 'INVALID_OPTIONS',
    says: /"minVersion" TLSv1.3 is above "maxVersion" TLSv1.2/,
  },
  {
    what: 'a mistyped cipher suite among good ones',
    given: () => ({ tls: { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GMC-SHA384' } }),
    code: 'INVALID_OPTIONS',
    says: /"ECDHE-RSA-AES256-GMC-SHA384", which OpenSSL does not know, did you mean "ECDHE-RSA-AES256-GCM-SHA384"/,
  },
  {
    what: 'a mistyped suite of TLS 1.3',
    given: () => ({ tls: { ciphers: 'TLS_AES_256_GCM_SHA348' } }),
    code: 'INVALID_OPTIONS',
    says: /did you mean "TLS_AES_256_GCM_SHA384"/,
  },
  {
    what: 'a list that takes every suite away',
    given: () => ({ tls: { ciphers: '!ALL' } }),
    code: 'INVALID_OPTIONS',
    says: /leaves no cipher suite/,
  },
  {
    what: 'a list that allows suites without encryption',
    given: () => ({ tls: { ciphers: 'ALL:@SECLEVEL=0' } }),
    code: 'INVALID_OPTIONS',
    says: /without encryption, use 1 or more/,
  },
  {
    what: 'an unknown curve',
    given: () => ({ tls: { curves: 'X25519:P-265' } }),
    code: 'INVALID_OPTIONS',
    says: /"P-265", which OpenSSL does not know, did you mean "P-256"/,
  },
  {
    what: 'a missing CA file',
    given: () => ({ tls: { ca: '/nowhere/ca.pem' } }),
    code: 'FILE_UNREADABLE',
    says: /the CA certificate "\/nowhere\/ca.pem": there is no such file, check the path/,
  },
  {
    what: 'a folder in place of a file',
    given: () => ({ tls: { ...edge, key: pki.folder } }),
    code: 'FILE_UNREADABLE',
    says: /it is a folder, name the file in it/,
  },
  {
    what: 'a missing passphrase file',
    given: () => ({ tls: { ...edge, passphraseFile: '/nowhere/passphrase' } }),
    code: 'FILE_UNREADABLE',
    says: /"\/nowhere\/passphrase" of "passphraseFile": there is no such file/,
  },
  {
    what: 'an empty password file',
    given: async () => ({ auth: { user: 'ann', passwordFile: await pki.file('empty', '\n') } }),
    code: 'FILE_UNREADABLE',
    says: /its first line is empty, write the secret there/,
  },
  {
    what: 'a CA file that is no PEM',
    given: async () => ({ tls: { ca: await pki.file('der.crt', new Uint8Array([0x30, 0x82, 1, 1])) } }),
    code: 'KEY_INVALID',
    says: /no certificate in PEM, give text that begins with -----BEGIN CERTIFICATE-----/,
  },
  {
    what: 'a damaged certificate',
    given: async () => ({ tls: { ca: (await text(pki.ca)).replace(/\nMII../, '\nAAAAA') } }),
    code: 'KEY_INVALID',
    says: /the CA certificate given as text: a certificate in it is damaged, copy it anew/,
  },
  {
    what: 'certificate and key swapped',
    given: () => ({ tls: { cert: edge.key, key: edge.cert } }),
    code: 'KEY_INVALID',
    says: /holds a private key and no certificate, give the certificate here and the key in "key"/,
  },
  {
    what: 'the certificate in both places',
    given: () => ({ tls: { cert: edge.cert, key: edge.cert } }),
    code: 'KEY_INVALID',
    says: /holds a certificate and no private key, give the key here/,
  },
  {
    what: 'a damaged key',
    given: async () => ({ tls: { ...edge, key: (await text(edge.key)).replace(/\nM/, '\nX') } }),
    code: 'KEY_INVALID',
    says: /it is damaged or of an unknown kind/,
  },
  {
    what: 'an encrypted key that was cut short',
    given: async () => {
      const lines = (await text(await pki.encryptedKey(edge, 'right'))).split('\n')
      return { tls: { ...edge, key: lines.toSpliced(2, 1).join('\n'), passphrase: 'right' } }
    },
    code: 'KEY_INVALID',
    says: /it is damaged/,
  },
  {
    what: 'a key without its PEM frame',
    given: async () => ({
      tls: { ...edge, key: (await text(edge.key)).replaceAll(/-----.*?-----|\n/g, '') },
    }),
    code: 'KEY_INVALID',
    says: /"key" is neither PEM text nor the path of a file/,
  },
  {
    what: 'a file that is far too large',
    given: async () => ({ tls: { ca: await pki.file('large.pem', new Uint8Array(1024 ** 2 + 1)) } }),
    code: 'KEY_INVALID',
    says: /larger than 1048576 bytes, check that "ca" names the right file/,
  },
  {
    what: 'an encrypted key without passphrase',
    given: async () => ({ tls: { ...edge, key: await pki.encryptedKey(edge, 'right') } }),
    code: 'PASSPHRASE_MISSING',
    says: /it is encrypted and there is no passphrase, give "passphraseFile"/,
  },
  {
    what: 'a wrong passphrase',
    given: async () => ({
      tls: { ...edge, key: await pki.encryptedKey(edge, 'right'), passphrase: 'wrong' },
    }),
    code: 'PASSPHRASE_WRONG',
    says: /does not open it, give the one that it was made with/,
  },
  {
    what: 'the key of another certificate',
    given: () => ({ tls: { cert: edge.cert, key: other.key } }),
    code: 'KEY_MISMATCH',
    says: /does not belong to it, give the pair that was made together/,
  },
  {
    what: 'an RSA key with an EC certificate',
    given: async () => ({ tls: { cert: edge.cert, key: (await pki.rsa('edge-1')).key } }),
    code: 'KEY_MISMATCH',
    says: /does not belong to it/,
  },
  {
    what: 'a chain that begins with the CA',
    given: async () => ({ tls: { ...edge, cert: (await text(pki.ca)) + (await text(edge.cert)) } }),
    code: 'KEY_MISMATCH',
    says: /put the client's own certificate first/,
  },
  {
    what: 'an expired certificate',
    given: async () => ({ tls: await pki.expired('client') }),
    code: 'CERTIFICATE_EXPIRED',
    says: /it ended at \d{4}-.*Z and this machine's clock says \d{4}-.*Z, renew the certificate/,
  },
  {
    what: 'a certificate that is not valid yet',
    given: async () => ({ tls: await pki.notYetValid('client') }),
    code: 'CERTIFICATE_NOT_YET_VALID',
    says: /it is valid from \d{4}-.*Z on .* set the clock or wait/,
  },
  {
    what: 'a bundle without passphrase',
    given: async () => ({ tls: { pfx: await pki.pkcs12(edge, 'right') } }),
    code: 'PASSPHRASE_MISSING',
    says: /the PKCS#12 file ".*": it is encrypted and there is no passphrase/,
    skip: without('openssl'),
  },
  {
    what: 'a bundle with a wrong passphrase',
    given: async () => ({ tls: { pfx: await pki.pkcs12(edge, 'right'), passphrase: 'wrong' } }),
    code: 'PASSPHRASE_WRONG',
    says: /does not open it/,
    skip: without('openssl'),
  },
  {
    what: 'an expired bundle',
    given: async () => ({
      tls: { pfx: await pki.pkcs12(await pki.expired('client'), 'right'), passphrase: 'right' },
    }),
    code: 'CERTIFICATE_EXPIRED',
    says: /renew the certificate/,
    skip: without('openssl'),
  },
  {
    what: 'PEM in place of a bundle',
    given: () => ({ tls: { pfx: edge.cert } }),
    code: 'KEY_INVALID',
    says: /it is not a PKCS#12 bundle with a certificate and its key/,
  },
]

for (const { what, given, code, says, skip } of mistakes) {
  test(`credentialsSource() answers ${what} with ${code}`, { skip }, async () => {
    await assert.rejects(
      async () => load(await given()),
      (error) => {
        assert.ok(error instanceof BackhaulError)
        assert.equal(error.code, code)
        assert.match(error.message, says)
        assert.match(error.message, /^Cannot [^]*[^.]$/)
        return true
      },
    )
  })
}

test('credentialsSource() answers a file that may not be read with FILE_UNREADABLE', async () => {
  const key = await pki.file('locked.key', await text(edge.key))
  const cert = await text(edge.cert)
  await chmod(key, 0)
  const isRoot = process.geteuid?.() === 0
  // root may read everything, so for a moment this process is the user nobody
  if (isRoot) process.seteuid?.(65_534)
  try {
    await assert.rejects(load({ tls: { cert, key } }), {
      code: 'FILE_UNREADABLE',
      message: /permission is denied, let the user that runs this read it/,
    })
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

/** Everything that a log could show of an error. */
function allTextOf(error: unknown): string {
  const causes: unknown[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) causes.push(at.message, at.stack)
  return `${causes.join('\n')}${inspect(error, { depth: 10, showHidden: true, maxStringLength: null })}`
}

test('no error of credentialsSource() ever holds a passphrase, a password or text of a key', async () => {
  const secretText = fc.stringMatching(/^[!-~]{12,40}$/).filter((value) => !value.includes('-----BEGIN'))
  const keyText = await text(edge.key)
  const encrypted = await text(await pki.encryptedKey(edge, 'right'))
  const bare = keyText.replaceAll(/-----.*?-----|\n/g, '')
  const keyLines = keyText.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'))
  const givens: readonly ((secret: string) => Given)[] = [
    (secret) => ({ tls: { ...edge, key: encrypted, passphrase: secret } }),
    (secret) => ({ tls: { ...edge, passphrase: secret, passphraseFile: secret } }),
    (secret) => ({ tls: { ...edge, passphraseFile: secret.replaceAll('/', '_') } }),
    (secret) => ({ tls: { passphrase: secret } }),
    (secret) => ({ tls: { pfx: edge.cert, passphrase: secret } }),
    (secret) => ({ auth: { user: 'ann', password: secret, passwordFile: secret } }),
    (secret) => ({ auth: { user: 'ann', passwordFile: secret.replaceAll('/', '_') } }),
    (secret) => ({ auth: { user: 'ann', password: secret }, tls: { ca: '/nowhere' } }),
    () => ({ tls: { ...edge, key: bare } }),
    () => ({ tls: { ...edge, key: keyText.replaceAll('-----', '----') } }),
    () => ({ tls: { ...edge, key: keyText.slice(0, -40) } }),
    () => ({ tls: { cert: keyText, key: edge.key } }),
    () => ({ tls: { cert: other.cert, key: keyText } }),
    () => ({ tls: { ca: keyText } }),
  ]
  await fc.assert(
    fc.asyncProperty(secretText, fc.constantFrom(...givens), async (secret, given) => {
      const error: unknown = await load(given(secret)).then(
        () => assert.fail('it must fail'),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof BackhaulError)
      const shown = allTextOf(error)
      for (const hidden of [secret, secret.replaceAll('/', '_'), bare, ...keyLines]) {
        assert.ok(!shown.includes(hidden), `${error.code} shows a secret`)
      }
    }),
    { numRuns: 200 },
  )
})
