import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

import type { IssueRequest } from '../src/identity/index.ts'
import { createAuthority } from '../src/identity/index.ts'

const DAY_MS = 86_400_000
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1']

/** A certificate and its key as files. */
export interface PairFiles {
  /** Certificate chain in PEM. */
  readonly cert: string
  /** Private key in PEM. */
  readonly key: string
}

/** A throw-away CA whose products are files in a folder of their own. Equal calls of one name give equal files. */
export interface TestPki extends AsyncDisposable {
  /** The temporary folder; put other files of the test here. */
  readonly folder: string
  /** File with the CA's certificate. */
  readonly ca: string
  /** For localhost, 127.0.0.1 and ::1. */
  readonly server: PairFiles
  /** A client certificate with this common name. */
  client(commonName: string): Promise<PairFiles>
  /** Whatever else is wanted; `name` is the file name's stem. */
  issue(name: string, request: IssueRequest): Promise<PairFiles>
  /** A certificate that ended yesterday. */
  expired(profile: IssueRequest['profile'], commonName?: string): Promise<PairFiles>
  /** A certificate that begins tomorrow. */
  notYetValid(profile: IssueRequest['profile'], commonName?: string): Promise<PairFiles>
  /** A certificate of another CA; with it comes that CA's own certificate. */
  foreign(profile: IssueRequest['profile'], commonName?: string): Promise<PairFiles & { readonly ca: string }>
  /** A server certificate for `elsewhere.example` only. */
  wrongHost(): Promise<PairFiles>
  /** A list of the revoked ones among the CA's certificates; one that has ended where `ended` is true. */
  crl(revoked: readonly PairFiles[], options?: { readonly ended?: boolean }): Promise<string>
  /** A list of revoked certificates of another CA, with none in it. */
  foreignCrl(): Promise<string>
  /** A client certificate on an RSA key. */
  rsa(commonName: string): Promise<PairFiles>
  /** The key in PKCS#8, encrypted with AES-256-CBC. */
  encryptedKey(pair: PairFiles, passphrase: string): Promise<string>
  /** Certificate and key in PKCS#12 with AES-256. Needs the `openssl` command. */
  pkcs12(pair: PairFiles, passphrase: string): Promise<string>
  /** Writes a file into the folder and gives its path. */
  file(name: string, content: string | Uint8Array, mode?: number): Promise<string>
  /** Removes the folder. */
  close(): Promise<void>
}

/** Makes a throw-away CA with a server certificate. */
export async function createTestPki(): Promise<TestPki> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-pki-'))
  const authority = await createAuthority({ commonName: 'Backhaul test CA' })
  let lists = 0
  const made = new Map<string, Promise<PairFiles>>()

  async function file(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, content, { mode })
    return path
  }
  async function write(name: string, request: IssueRequest, issuer = authority): Promise<PairFiles> {
    const { certificatePem, keyPem } = await issuer.issue({ hosts: LOCAL_HOSTS, ...request })
    return { cert: await file(`${name}.pem`, certificatePem), key: await file(`${name}.key`, keyPem) }
  }
  function once(name: string, make: () => Promise<PairFiles>): Promise<PairFiles> {
    const pair = made.get(name) ?? make()
    made.set(name, pair)
    return pair
  }
  const issue = (name: string, request: IssueRequest) => once(name, () => write(name, request))
  const close = () => rm(folder, { recursive: true, force: true })

  return {
    folder,
    ca: await file('ca.pem', authority.certificatePem),
    server: await issue('server', { commonName: 'localhost', profile: 'server' }),
    client: (commonName) => issue(`client-${commonName}`, { commonName, profile: 'client' }),
    issue,
    expired: (profile, commonName = 'expired') =>
      issue(`expired-${profile}-${commonName}`, { commonName, profile, ...daysFromNow(-10, -1) }),
    notYetValid: (profile, commonName = 'not-yet-valid') =>
      issue(`not-yet-valid-${profile}-${commonName}`, { commonName, profile, ...daysFromNow(1, 10) }),
    async foreign(profile, commonName = 'stranger') {
      const other = await createAuthority({ commonName: 'Foreign test CA' })
      const name = `foreign-${profile}-${commonName}`
      const pair = await write(name, { commonName, profile }, other)
      return { ...pair, ca: await file(`${name}-ca.pem`, other.certificatePem) }
    },
    wrongHost: () =>
      issue('wrong-host', {
        commonName: 'elsewhere.example',
        profile: 'server',
        hosts: ['elsewhere.example'],
      }),
    async crl(revoked, { ended = false } = {}) {
      const certificates = await Promise.all(revoked.map(({ cert }) => readFile(cert, 'utf8')))
      const dates = ended ? daysFromNow(-10, -1) : {}
      const list = await authority.revocationList({ revoked: certificates, ...dates })
      lists += 1
      return file(`revoked-${lists}.crl`, list)
    },
    async foreignCrl() {
      const other = await createAuthority({ commonName: 'Foreign test CA' })
      return file('foreign.crl', await other.revocationList({ revoked: [] }))
    },
    rsa: (commonName) => issue(`rsa-${commonName}`, { commonName, profile: 'client', keyType: 'rsa' }),
    async encryptedKey(pair, passphrase) {
      const key = createPrivateKey(await readFile(pair.key))
      const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
      return file(`${basename(pair.key)}.encrypted`, pem)
    },
    async pkcs12(pair, passphrase) {
      const path = `${pair.cert}.p12`
      const words = ['pkcs12', '-export', '-in', pair.cert, '-inkey', pair.key, '-out', path]
      const ciphers = ['-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC', '-macalg', 'SHA256']
      await promisify(execFile)('openssl', [...words, ...ciphers, '-passout', `pass:${passphrase}`])
      return path
    },
    file,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function daysFromNow(from: number, to: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() + from * DAY_MS), notAfter: new Date(Date.now() + to * DAY_MS) }
}
