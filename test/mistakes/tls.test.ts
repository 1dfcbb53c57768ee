import type { ConnectOptions } from '../../src/client/index.ts'
import type { TestBroker } from '../brokers/index.ts'
import type { Mistake, Site } from './mistake.ts'
import { testMistakes } from './mistake.ts'

type TlsInput = NonNullable<ConnectOptions['tls']>

/** Dials a listener with TLS, trusting the CA of the site unless told otherwise. */
function dial(broker: TestBroker, kind: 'tls' | 'mutual' | 'wssMutual', site: Site, tls: TlsInput = {}) {
  return { address: broker.url(kind), options: { tls: { ca: site.pki.ca, ...tls } } }
}

const credentialMistakes: readonly Mistake[] = [
  {
    what: 'a missing CA file',
    given: (site) => dial(site.mosquitto, 'tls', site, { ca: '/nowhere/ca.pem' }),
    code: 'FILE_UNREADABLE',
    says: /"\/nowhere\/ca.pem": there is no such file, check the path/,
  },
  {
    what: 'an encrypted key without a passphrase',
    given: async (site) => {
      const edge = await site.pki.client('edge-1')
      const key = await site.pki.encryptedKey(edge, 'right')
      return dial(site.mosquitto, 'mutual', site, { cert: edge.cert, key })
    },
    code: 'PASSPHRASE_MISSING',
    says: /give "passphraseFile" or "passphrase"/,
  },
  {
    what: 'a wrong passphrase',
    given: async (site) => {
      const edge = await site.pki.client('edge-1')
      const key = await site.pki.encryptedKey(edge, 'right')
      return dial(site.mosquitto, 'mutual', site, { cert: edge.cert, key, passphrase: 'wrong' })
    },
    code: 'PASSPHRASE_WRONG',
    says: /give the one that it was made with/,
  },
  {
    what: 'a PKCS#12 file with a wrong passphrase',
    given: async (site) => {
      const pfx = await site.pki.pkcs12(await site.pki.client('edge-1'), 'right')
      return dial(site.mosquitto, 'mutual', site, { pfx, passphrase: 'wrong' })
    },
    code: 'PASSPHRASE_WRONG',
    says: /the PKCS#12 file .* give the one that it was made with/,
  },
  {
    what: 'a key that does not fit the certificate',
    given: async (site) => {
      const [edge, other] = [await site.pki.client('edge-1'), await site.pki.client('edge-2')]
      return dial(site.mosquitto, 'mutual', site, { cert: edge.cert, key: other.key })
    },
    code: 'KEY_MISMATCH',
    says: /give the pair that was made together/,
  },
  {
    what: 'an RSA key with an EC certificate',
    given: async (site) => {
      const [edge, rsa] = [await site.pki.client('edge-1'), await site.pki.rsa('edge-1')]
      return dial(site.mosquitto, 'mutual', site, { cert: edge.cert, key: rsa.key })
    },
    code: 'KEY_MISMATCH',
    says: /give the pair that was made together/,
  },
  {
    what: 'an expired certificate of our own',
    given: async (site) => dial(site.mosquitto, 'mutual', site, await site.pki.expired('client')),
    code: 'CERTIFICATE_EXPIRED',
    says: /it ended at .*, renew the certificate/,
  },
  {
    what: 'a certificate of our own that is not valid yet',
    given: async (site) => dial(site.mosquitto, 'mutual', site, await site.pki.notYetValid('client')),
    code: 'CERTIFICATE_NOT_YET_VALID',
    says: /set the clock or wait/,
  },
]

const brokerMistakes: readonly Mistake[] = [
  {
    what: 'a broker of an unknown CA',
    given: (site) => ({ address: site.mosquitto.url('tls') }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA/,
  },
  {
    what: 'a broker of another CA than the one named',
    given: async (site) => dial(site.mosquitto, 'tls', site, { ca: (await site.pki.foreign('server')).ca }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA/,
  },
  {
    what: 'a broker whose certificate is for another name',
    given: async (site) =>
      dial(await site.broker({ listeners: ['tls'], server: await site.pki.wrongHost() }), 'tls', site),
    code: 'SERVER_NAME_MISMATCH',
    says: /elsewhere\.example.*dial that name, or set tls\.serverName/,
  },
  {
    what: 'a broker whose certificate has ended',
    given: async (site) =>
      dial(await site.broker({ listeners: ['tls'], server: await site.pki.expired('server') }), 'tls', site),
    code: 'SERVER_CERTIFICATE_EXPIRED',
    says: /has ended, renew it at the broker/,
  },
  {
    what: 'a broker whose certificate is not valid yet',
    given: async (site) => {
      const server = await site.pki.notYetValid('server')
      return dial(await site.broker({ listeners: ['tls'], server }), 'tls', site)
    },
    code: 'SERVER_CERTIFICATE_EXPIRED',
    says: /not valid yet, set this machine's clock/,
  },
  {
    what: 'a broker with a certificate for clients',
    given: async (site) => {
      const server = await site.pki.client('edge-1')
      return dial(await site.broker({ listeners: ['tls'], server }), 'tls', site)
    },
    code: 'SERVER_UNTRUSTED',
    says: /have it issued for serverAuth/,
  },
]

const versions = ['TLSv1.3', 'TLSv1.2'] as const

const mutualMistakes: readonly Mistake[] = versions.flatMap((version): Mistake[] => [
  {
    what: `a client certificate that is missing in ${version}`,
    given: (site) => dial(site.mosquitto, 'mutual', site, { maxVersion: version }),
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /demands a client certificate, give tls\.cert and tls\.key/,
  },
  {
    what: `a client certificate of a foreign CA in ${version}`,
    given: async (site) => {
      const { cert, key } = await site.pki.foreign('client', 'edge-1')
      return dial(site.mosquitto, 'mutual', site, { cert, key, maxVersion: version })
    },
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /have it issued .*by a CA that the broker trusts/,
  },
  {
    what: `a certificate for servers offered as a client in ${version}`,
    given: (site) => dial(site.mosquitto, 'mutual', site, { ...site.pki.server, maxVersion: version }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /have it issued for clients/,
  },
])

const agreementMistakes: readonly Mistake[] = [
  {
    what: 'a client certificate that is missing over WebSocket',
    given: (site) => dial(site.mosquitto, 'wssMutual', site),
    code: 'CLIENT_CERTIFICATE_REQUIRED',
    says: /give tls\.cert and tls\.key/,
  },
  {
    what: 'no TLS version in common',
    given: async (site) => {
      const broker = await site.broker({ listeners: ['tls'], tlsSettings: { tls_version: 'tlsv1.3' } })
      return dial(broker, 'tls', site, { maxVersion: 'TLSv1.2' })
    },
    code: 'TLS_FAILED',
    says: /compare tls\.minVersion and tls\.maxVersion with the broker/,
  },
  {
    what: 'no cipher suite in common',
    given: async (site) => {
      const tlsSettings = { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }
      const broker = await site.broker({ listeners: ['tls'], tlsSettings })
      return dial(broker, 'tls', site, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
    },
    code: 'TLS_FAILED',
    says: /compare tls\.ciphers and tls\.curves/,
  },
  {
    what: 'an unknown cipher suite',
    given: (site) => dial(site.mosquitto, 'tls', site, { ciphers: 'ECDHE-ECDSA-AES128-GMC-SHA256' }),
    code: 'INVALID_OPTIONS',
    says: /did you mean "ECDHE-ECDSA-AES128-GCM-SHA256"/,
  },
]

testMistakes([...credentialMistakes, ...brokerMistakes, ...mutualMistakes, ...agreementMistakes])
