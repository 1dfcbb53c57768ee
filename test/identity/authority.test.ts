import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import type { KeyType } from '../../src/identity/index.ts'
import { createAuthority } from '../../src/identity/index.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backhaul-authority-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function opensslVerify(ca: string, certificate: string, purpose: 'sslserver' | 'sslclient') {
  const [caFile, file] = [join(folder, 'ca.pem'), join(folder, 'certificate.pem')]
  await writeFile(caFile, ca)
  await writeFile(file, certificate)
  const { stdout } = await promisify(execFile)('openssl', [
    'verify',
    '-x509_strict',
    '-purpose',
    purpose,
    '-CAfile',
    caFile,
    file,
  ])
  return stdout
}

for (const keyType of ['ec', 'rsa'] satisfies KeyType[]) {
  test(`createAuthority() issues ${keyType} certificates that openssl accepts under strict rules`, async () => {
    const authority = await createAuthority({ commonName: 'Test CA', keyType })
    const server = await authority.issue({
      commonName: 'broker',
      profile: 'server',
      hosts: ['localhost', '127.0.0.1', '::1'],
      keyType,
    })
    const client = await authority.issue({ commonName: 'camera-1', profile: 'client', keyType })
    assert.match(await opensslVerify(authority.certificatePem, server.certificatePem, 'sslserver'), /: OK/)
    assert.match(await opensslVerify(authority.certificatePem, client.certificatePem, 'sslclient'), /: OK/)
    await assert.rejects(
      opensslVerify(authority.certificatePem, client.certificatePem, 'sslserver'),
      /unsuitable certificate purpose/,
    )
  })
}

test('issue() names exactly the hosts, the common name and the key that belong to the certificate', async () => {
  const authority = await createAuthority({ commonName: 'Test CA' })
  const issued = await authority.issue({
    commonName: 'a, O=b+c "d"',
    profile: 'server',
    hosts: ['broker.example', '127.0.0.1', '::1'],
  })
  const certificate = new X509Certificate(issued.certificatePem)
  assert.equal(
    certificate.subjectAltName,
    'DNS:broker.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  )
  assert.equal(certificate.checkPrivateKey(createPrivateKey(issued.keyPem)), true)
  assert.equal(certificate.toLegacyObject().subject.CN, 'a, O=b+c "d"')
  assert.equal(certificate.ca, false)
})

test('issue() gives every certificate a positive serial number of its own', async () => {
  const authority = await createAuthority({ commonName: 'Test CA' })
  const serials = new Set<string>()
  for (let count = 0; count < 20; count += 1) {
    const { certificatePem } = await authority.issue({ commonName: 'device', profile: 'client' })
    const serial = new X509Certificate(certificatePem).serialNumber
    assert.match(serial, /^[4-7][0-9A-F]{31}$/)
    serials.add(serial)
  }
  assert.equal(serials.size, 20)
})

test('issue() keeps to the dates that it is given', async () => {
  const authority = await createAuthority({ commonName: 'Test CA' })
  const notBefore = new Date('2020-01-02T03:04:05Z')
  const notAfter = new Date('2021-01-02T03:04:05Z')
  const issued = await authority.issue({ commonName: 'old', profile: 'client', notBefore, notAfter })
  const certificate = new X509Certificate(issued.certificatePem)
  assert.equal(Date.parse(certificate.validFrom), notBefore.getTime())
  assert.equal(Date.parse(certificate.validTo), notAfter.getTime())
})

test('createAuthority() and issue() refuse what makes no sense, with the fix', async () => {
  const refused = (phrase: RegExp) => ({ code: 'INVALID_OPTIONS', message: phrase })
  await assert.rejects(createAuthority({ commonName: '' }), refused(/1 to 64 characters/))
  const authority = await createAuthority({ commonName: 'Test CA' })
  await assert.rejects(
    authority.issue({ commonName: 'x'.repeat(65), profile: 'client' }),
    refused(/1 to 64 characters/),
  )
  await assert.rejects(
    authority.issue({ commonName: 'broker', profile: 'server' }),
    refused(/names no host, give at least one/),
  )
  await assert.rejects(
    authority.issue({ commonName: 'device', profile: 'client', notAfter: new Date(0) }),
    refused(/notBefore is not before notAfter/),
  )
})
