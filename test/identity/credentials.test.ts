import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { after, before, test } from 'node:test'
import { createSecureContext } from 'node:tls'

import type { Credentials, TlsSettings } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import type { CredentialsOptions } from '../../src/identity/index.ts'
import { credentialsSource } from '../../src/identity/index.ts'
import { authOptionsSchema, tlsOptionsSchema } from '../../src/kit/security-options.ts'
import { without } from '../brokers/index.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'

let pki: TestPki
let edge: PairFiles
before(async () => {
  pki = await createTestPki()
  edge = await pki.client('edge-1')
})
after(() => pki.close())

function load(tls: object, more: Partial<CredentialsOptions> = {}): Promise<Credentials> {
  const options = { tls: tlsOptionsSchema.parse(tls), auth: undefined, secure: true, ...more }
  return credentialsSource(options)(AbortSignal.timeout(10_000))
}

async function loadTls(tls: object, more: Partial<CredentialsOptions> = {}): Promise<TlsSettings> {
  const settings = (await load(tls, more)).tls
  assert.ok(settings !== undefined)
  return settings
}

test('credentialsSource() gives safe defaults where nothing is named, and nothing for plaintext', async () => {
  const source = credentialsSource({ tls: undefined, auth: undefined, secure: true })
  const { tls, auth } = await source(AbortSignal.timeout(1000))
  assert.equal(auth, undefined)
  assert.deepEqual(tls, {
    ca: undefined,
    crl: undefined,
    cert: undefined,
    key: undefined,
    pfx: undefined,
    passphrase: undefined,
    serverName: undefined,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: undefined,
    curves: undefined,
    insecureSkipHostName: false,
    insecureSkipVerify: false,
    ownSubject: undefined,
    expiresAtMs: undefined,
  })
  const plaintext = credentialsSource({ tls: undefined, auth: undefined, secure: false })
  assert.deepEqual(await plaintext(AbortSignal.timeout(1000)), { tls: undefined, auth: undefined })
})

test('credentialsSource() reads files, also relative to a folder, and PEM text', async () => {
  const texts = {
    ca: await readFile(pki.ca, 'utf8'),
    cert: await readFile(edge.cert, 'utf8'),
    key: await readFile(edge.key, 'utf8'),
  }
  const byText = await loadTls(texts)
  assert.equal(byText.cert, texts.cert)
  assert.equal(byText.key, texts.key)
  assert.deepEqual(byText.ca, [texts.ca])
  assert.equal(byText.ownSubject, 'CN=edge-1')
  assert.ok((byText.expiresAtMs ?? 0) > Date.now())
  assert.deepEqual(await loadTls({ ca: pki.ca, ...edge }), byText)
  const relative = { ca: [basename(pki.ca)], cert: basename(edge.cert), key: basename(edge.key) }
  assert.deepEqual(await loadTls(relative, { baseFolder: pki.folder }), byText)
})

test('credentialsSource() takes a file of several CAs apart', async () => {
  const other = await pki.foreign('client')
  const bundle = await pki.file(
    'bundle.pem',
    `${await readFile(pki.ca, 'utf8')}\n# text\n${await readFile(other.ca, 'utf8')}`,
  )
  assert.equal((await loadTls({ ca: [bundle, other.ca] })).ca?.length, 3)
})

test('credentialsSource() opens an encrypted key by passphrase and by passphraseFile', async () => {
  const key = await pki.encryptedKey(edge, 'open sesame')
  const passphraseFile = await pki.file('passphrase', 'open sesame\r\nsecond line\n')
  const byFile = await loadTls({ cert: edge.cert, key, passphraseFile })
  assert.equal(byFile.passphrase, 'open sesame')
  assert.deepEqual(byFile, await loadTls({ cert: edge.cert, key, passphrase: 'open sesame' }))
  assert.doesNotThrow(() =>
    createSecureContext({ cert: byFile.cert, key: byFile.key, passphrase: byFile.passphrase }),
  )
})

test('credentialsSource() takes certificate and key from one file', async () => {
  const both = await pki.file(
    'both.pem',
    (await readFile(edge.cert, 'utf8')) + (await readFile(edge.key, 'utf8')),
  )
  assert.equal((await loadTls({ cert: both, key: both })).ownSubject, 'CN=edge-1')
})

test(
  'credentialsSource() opens PKCS#12 and knows its subject and end',
  { skip: without('openssl') },
  async () => {
    const pfx = await pki.pkcs12(edge, 'open sesame')
    const settings = await loadTls({ pfx, passphrase: 'open sesame' })
    const pair = await loadTls({ ...edge })
    assert.deepEqual(settings.pfx, await readFile(pfx))
    assert.equal(settings.cert, undefined)
    assert.equal(settings.ownSubject, 'CN=edge-1')
    assert.equal(settings.expiresAtMs, pair.expiresAtMs)
  },
)

test('credentialsSource() hands on versions, ciphers, curves, the server name and the unsafe switch', async () => {
  const options = {
    serverName: 'broker.example',
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_256_GCM_SHA384:ECDHE+AESGCM:+HIGH:!aNULL:-RC4:@STRENGTH:@SECLEVEL=2',
    curves: 'X25519:P-256',
    insecureSkipVerify: true,
  }
  const settings = await loadTls(options)
  for (const [name, value] of Object.entries(options)) assert.equal(Reflect.get(settings, name), value)
})

test('credentialsSource() reads the files again at every call', async () => {
  const cert = await pki.file('rotating.pem', await readFile(edge.cert))
  const key = await pki.file('rotating.key', await readFile(edge.key))
  const tls = tlsOptionsSchema.parse({ cert, key })
  const source = credentialsSource({ tls, auth: undefined, secure: true })
  assert.equal((await source(AbortSignal.timeout(1000))).tls?.ownSubject, 'CN=edge-1')
  const next = await pki.client('edge-2')
  await pki.file('rotating.pem', await readFile(next.cert))
  await assert.rejects(source(AbortSignal.timeout(1000)), { code: 'KEY_MISMATCH' })
  await pki.file('rotating.key', await readFile(next.key))
  assert.equal((await source(AbortSignal.timeout(1000))).tls?.ownSubject, 'CN=edge-2')
})

test('credentialsSource() judges dates by the clock that it is given', async () => {
  const expired = await pki.expired('client')
  const threeDays = 3 * 86_400_000
  assert.equal((await loadTls(expired, { now: () => Date.now() - threeDays })).ownSubject, 'CN=expired')
  await assert.rejects(loadTls({ ...edge }, { now: () => 0 }), {
    code: 'CERTIFICATE_NOT_YET_VALID',
    message: /clock says 1970-01-01T00:00:00.000Z, set the clock/,
  })
})

test('credentialsSource() gives user and password, also from a file, in plaintext too', async () => {
  const passwordFile = await pki.file('password', 'pass word \n')
  const source = (auth: object) =>
    credentialsSource({ tls: undefined, auth: authOptionsSchema.parse(auth), secure: false })(
      AbortSignal.timeout(1000),
    )
  assert.deepEqual((await source({ user: 'ann' })).auth, { user: 'ann', password: undefined })
  assert.deepEqual((await source({ user: 'ann', password: 'x' })).auth, { user: 'ann', password: 'x' })
  assert.deepEqual((await source({ user: 'ann', passwordFile })).auth, {
    user: 'ann',
    password: 'pass word ',
  })
})

test('credentialsSource() rejects with ABORTED when the caller has given up', async () => {
  const source = credentialsSource({ tls: tlsOptionsSchema.parse(edge), auth: undefined, secure: true })
  await assert.rejects(source(AbortSignal.abort()), (error) => {
    return error instanceof BackhaulError && error.code === 'ABORTED'
  })
})
