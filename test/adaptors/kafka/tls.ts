import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import type { ConnectOptions } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { ErrorCode, PeerTls } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { KafkaBroker, KafkaListener } from '../../brokers/index.ts'
import type { PairFiles, TestPki } from '../../pki.ts'
import type { KafkaDriver } from './support.ts'

type Tls = NonNullable<ConnectOptions['tls']>

const PASSPHRASE = 'hunter2-passphrase'
/** A key that OpenSSL encrypts as Node's own forms have it. */
const ENCRYPTED = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE } as const

/** How a key and its certificate may be given; each is dialled with at the listener that demands a certificate. */
const KEYS: Readonly<Record<string, (pki: TestPki) => Promise<Tls>>> = {
  'EC in PKCS#8': (pki) => pki.client('tls-ec'),
  'EC in SEC1': async (pki) => rewritten(pki, await pki.client('tls-ec'), { type: 'sec1' }),
  'EC in SEC1, encrypted': async (pki) =>
    rewritten(pki, await pki.client('tls-ec'), { type: 'sec1', ...ENCRYPTED }),
  'EC in PKCS#8, encrypted': async (pki) =>
    rewritten(pki, await pki.client('tls-ec'), { type: 'pkcs8', ...ENCRYPTED }),
  'RSA in PKCS#8': (pki) => pki.rsa('tls-rsa'),
  'RSA in PKCS#1': async (pki) => rewritten(pki, await pki.rsa('tls-rsa'), { type: 'pkcs1' }),
  'RSA in PKCS#1, encrypted': async (pki) =>
    rewritten(pki, await pki.rsa('tls-rsa'), { type: 'pkcs1', ...ENCRYPTED }),
  'RSA in PKCS#8, encrypted': async (pki) =>
    rewritten(pki, await pki.rsa('tls-rsa'), { type: 'pkcs8', ...ENCRYPTED }),
  'EC in PKCS#12': async (pki) => ({
    pfx: await pki.pkcs12(await pki.client('tls-ec'), PASSPHRASE),
    passphrase: PASSPHRASE,
  }),
  'RSA in PKCS#12': async (pki) => ({
    pfx: await pki.pkcs12(await pki.rsa('tls-rsa'), PASSPHRASE),
    passphrase: PASSPHRASE,
  }),
  'a passphrase in a file': async (pki) => ({
    ...(await pki.client('tls-ec')),
    key: await pki.encryptedKey(await pki.client('tls-ec'), PASSPHRASE),
    passphraseFile: await pki.file('passphrase', `${PASSPHRASE}\n`),
  }),
  'PEM text in place of files': async (pki) => inline(await pki.client('tls-ec'), pki),
  'an encrypted key as PEM text': async (pki) => {
    const pair = await rewritten(pki, await pki.client('tls-ec'), { type: 'pkcs8', ...ENCRYPTED })
    return { ...(await inline(pair, pki)), passphrase: PASSPHRASE }
  },
  'certificate and key in one file': async (pki) => {
    const { cert, key } = await inline(await pki.client('tls-ec'), pki)
    const both = await pki.file('both.pem', `${key}${cert}`)
    return { cert: both, key: both }
  },
}

/** One TLS setting, and what comes of it at the listener without client certificates. */
interface Setting {
  readonly tls: (pki: TestPki) => Promise<Tls> | Tls
  /** What the session is like. */
  readonly session?: Partial<PeerTls>
  /** Or what is said. */
  readonly code?: ErrorCode
  readonly says?: RegExp
  /** What the driver librdkafka says, where it cannot do this. */
  readonly native?: RegExp
}

const SETTINGS: Readonly<Record<string, Setting>> = {
  'maxVersion TLSv1.2': {
    tls: () => ({ maxVersion: 'TLSv1.2' }),
    session: { version: 'TLSv1.2' },
    native: /librdkafka with tls\.minVersion .* no choice of TLS versions/,
  },
  'minVersion TLSv1.3': {
    tls: () => ({ minVersion: 'TLSv1.3' }),
    session: { version: 'TLSv1.3' },
    native: /librdkafka with tls\.minVersion .* no choice of TLS versions/,
  },
  'a cipher suite of TLS 1.3': {
    tls: () => ({ ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' }),
    session: { cipher: 'TLS_AES_128_GCM_SHA256' },
    native: /librdkafka with tls\.minVersion .* no choice of TLS versions/,
  },
  'a cipher suite of TLS 1.2': {
    tls: () => ({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }),
    session: { cipher: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256' },
    native: /librdkafka with tls\.minVersion .* no choice of TLS versions/,
  },
  'a curve': {
    tls: () => ({ curves: 'P-384', minVersion: 'TLSv1.3' }),
    session: { version: 'TLSv1.3' },
    native: /librdkafka with tls\.minVersion .* no choice of TLS versions/,
  },
  'a curve that TLS 1.3 does not have': {
    tls: () => ({ curves: 'brainpoolP512r1' }),
    code: 'TLS_FAILED',
    says: /tls\.curves names none .* P-256 too/,
  },
  'another name in the certificate': {
    tls: () => ({ serverName: 'localhost' }),
    session: { verified: true },
    native: /librdkafka with tls\.serverName: it verifies the name that is dialled/,
  },
  'a name that the certificate does not have': {
    tls: () => ({ serverName: 'other.example' }),
    code: 'SERVER_NAME_MISMATCH',
    says: /DNS:localhost.*set tls\.serverName/,
    native: /librdkafka with tls\.serverName: it verifies the name that is dialled/,
  },
  'a name that is not verified': {
    tls: () => ({ serverName: 'other.example', insecureSkipHostName: true }),
    session: { verified: false },
    native: /librdkafka with tls\.serverName: it verifies the name that is dialled/,
  },
  'another CA, with a name that is not verified': {
    tls: async (pki) => ({ ca: (await pki.foreign('server')).ca, insecureSkipHostName: true }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA as tls\.ca/,
  },
  'another CA, verifying nothing': {
    tls: async (pki) => ({ ca: (await pki.foreign('server')).ca, insecureSkipVerify: true }),
    session: { verified: false },
  },
  'a revocation list without the broker': {
    tls: async (pki) => ({ crl: await pki.crl([await pki.client('revoked')]) }),
    session: { verified: true },
  },
  'a revocation list with the broker': {
    tls: async (pki) => ({ crl: await pki.crl([pki.server]) }),
    code: 'SERVER_UNTRUSTED',
    says: /its certificate is revoked, have it issued anew/,
  },
  'a revocation list as text': {
    tls: async (pki) => ({ crl: [await readFile(await pki.crl([pki.server]), 'utf8')] }),
    code: 'SERVER_UNTRUSTED',
    says: /its certificate is revoked/,
  },
  'a revocation list in DER': {
    tls: async (pki) => {
      const pem = await readFile(await pki.crl([pki.server]), 'utf8')
      const der = Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64')
      return { crl: await pki.file('revoked.der', der) }
    },
    code: 'SERVER_UNTRUSTED',
    says: /its certificate is revoked/,
  },
  'a revocation list that has ended': {
    tls: async (pki) => ({ crl: await pki.crl([], { ended: true }) }),
    code: 'SERVER_UNTRUSTED',
    says: /a revocation list in tls\.crl has ended, fetch the new one/,
  },
  'a revocation list of another CA': {
    tls: async (pki) => ({ crl: await pki.foreignCrl() }),
    code: 'SERVER_UNTRUSTED',
    says: /tls\.crl has no revocation list of the CA that issued its certificate/,
  },
  'a revocation list that is not there': {
    tls: () => ({ crl: '/nowhere/revoked.crl' }),
    code: 'FILE_UNREADABLE',
    says: /the revocation list "\/nowhere\/revoked\.crl": there is no such file/,
  },
  'a revocation list that is a certificate': {
    tls: (pki) => ({ crl: pki.ca }),
    code: 'KEY_INVALID',
    says: /it holds no revocation list/,
  },
  'a revocation list that is damaged': {
    tls: async (pki) => {
      const pem = await readFile(await pki.crl([]), 'utf8')
      return { crl: await pki.file('damaged.crl', pem.replace(/\n[^-]{8}/, '\n')) }
    },
    code: 'KEY_INVALID',
    says: /a revocation list in it is damaged, fetch it anew/,
  },
}

/** Every form of key, and every TLS setting, at a real broker. */
export function tlsTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const open = async (listener: KafkaListener, tls: Tls): Promise<PeerTls | undefined> => {
    const options = { tls: { ca: started().pki.ca, ...tls }, options: { driver } }
    const client = await connect(started().url(listener), options)
    const status = client.current
    await client.close()
    assert.ok(status.state === 'connected')
    return status.peer.tls
  }

  for (const [name, make] of Object.entries(KEYS)) {
    test(`connect() logs in with ${name}`, async () => {
      const session = await open('mutual', await make(started().pki))
      assert.match(session?.own ?? '', /^CN=tls-(ec|rsa)$/)
    })
  }

  for (const [name, setting] of Object.entries(SETTINGS)) {
    const { tls, session, code, says } = asOf(driver, setting)
    test(`connect() with ${name} ${code === undefined ? 'works' : `rejects with ${code}`}`, async () => {
      const opening = open('tls', await tls(started().pki))
      if (code === undefined) {
        const found = await opening
        assert.deepEqual({ ...found, ...session }, found)
        return
      }
      await assert.rejects(opening, (error) => {
        assert.ok(error instanceof BackhaulError)
        assert.equal(error.code, code, error.message)
        assert.match(error.message, says ?? /./)
        return true
      })
    })
  }
}

/** What librdkafka cannot do it refuses, and says so. */
function asOf(driver: KafkaDriver, setting: Setting): Setting {
  const { native } = setting
  if (driver === 'javascript' || native === undefined) return setting
  return { tls: setting.tls, code: 'INVALID_OPTIONS', says: native }
}

interface KeyForm {
  readonly type: 'pkcs1' | 'pkcs8' | 'sec1'
  readonly cipher?: string
  readonly passphrase?: string
}

/** The pair with its key in another form. */
async function rewritten(pki: TestPki, pair: PairFiles, form: KeyForm): Promise<PairFiles & Tls> {
  const key = createPrivateKey(await readFile(pair.key))
  const pem = key.export({ format: 'pem', ...form })
  const name = `${key.asymmetricKeyType}-${form.type}${form.passphrase === undefined ? '' : '-encrypted'}.key`
  const { passphrase } = form
  return { cert: pair.cert, key: await pki.file(name, pem), ...(passphrase !== undefined && { passphrase }) }
}

async function inline(pair: PairFiles, pki: TestPki) {
  const [cert, key, ca] = await Promise.all(
    [pair.cert, pair.key, pki.ca].map((path) => readFile(path, 'utf8')),
  )
  return { cert: cert ?? '', key: key ?? '', ca: ca ?? '' }
}
