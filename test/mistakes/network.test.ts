import type { Client } from '../../src/client/index.ts'
import { freePorts } from '../brokers/index.ts'
import type { Mistake } from './mistake.ts'
import { testMistakes } from './mistake.ts'

const right = { user: 'ann', password: 'right' }

function send(topic: string, payload = 'hello'): (client: Client) => Promise<unknown> {
  return (client) => client.send({ topic, payload })
}

function subscribe(topic: string): (client: Client) => Promise<unknown> {
  return (client) => client.subscribe(topic)
}

const pathMistakes: readonly Mistake[] = [
  {
    what: 'a closed port',
    given: async () => ({ address: `mqtt://127.0.0.1:${(await freePorts(1))[0]}` }),
    code: 'UNREACHABLE',
    says: /nothing listens there, check that the broker runs, and the port/,
  },
  {
    what: 'a name that does not exist',
    // a label this long is refused before any DNS server is asked, so that the answer comes at once everywhere
    given: () => ({ address: `mqtt://${'broker'.repeat(11)}.invalid` }),
    code: 'NAME_NOT_FOUND',
    says: /does not resolve, check its spelling and DNS/,
  },
  {
    what: 'TLS to a plaintext port',
    given: ({ mosquitto, pki }) => ({
      address: `mqtts://127.0.0.1:${mosquitto.port('plain')}`,
      options: { tls: { ca: pki.ca } },
    }),
    code: 'TLS_NOT_SPOKEN',
    says: /does not speak TLS, dial the TLS port or use the plaintext address/,
  },
  {
    what: 'plaintext to a TLS port',
    given: ({ mosquitto }) => ({ address: `mqtt://127.0.0.1:${mosquitto.port('tls')}` }),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS, use the address form with TLS/,
  },
  {
    what: 'plaintext WebSocket to a TLS port',
    given: ({ mosquitto }) => ({ address: `ws://127.0.0.1:${mosquitto.port('wss')}` }),
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS, use the address form with TLS/,
  },
  {
    what: 'TLS settings for a plaintext address',
    given: ({ mosquitto, pki }) => ({ address: mosquitto.url('plain'), options: { tls: { ca: pki.ca } } }),
    code: 'INVALID_OPTIONS',
    says: /plaintext, write mqtts:\/\//,
  },
  {
    what: 'a WebSocket to an MQTT port',
    given: ({ mosquitto }) => ({ address: `ws://127.0.0.1:${mosquitto.port('plain')}` }),
    code: 'UNREACHABLE',
    says: /closed the connection/,
  },
  {
    what: 'MQTT to a web server',
    given: async ({ peer }) => {
      const port = await peer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'))
      return { address: `mqtt://127.0.0.1:${port}` }
    },
    code: 'PROTOCOL_ERROR',
    says: /an answer in HTTP, check that the address is of an MQTT broker/,
  },
  {
    what: 'a WebSocket path that a web server does not have',
    given: async ({ peer }) => {
      const port = await peer((socket) =>
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
      )
      return { address: `ws://127.0.0.1:${port}/mqtt` }
    },
    code: 'PROTOCOL_ERROR',
    says: /HTTP 404 to the WebSocket, check the path/,
  },
  {
    what: 'a peer that accepts and says nothing',
    given: async ({ peer }) => ({ address: `mqtt://127.0.0.1:${await peer((socket) => socket.resume())}` }),
    code: 'UNREACHABLE',
    says: /nothing answered within \d+ ms, check the address, the broker and the firewall/,
  },
  {
    what: 'a peer that takes longer than a dial may',
    given: async ({ peer }) => ({
      address: `mqtt://127.0.0.1:${await peer((socket) => socket.resume())}?connectTimeoutMs=150`,
    }),
    code: 'TIMEOUT',
    says: /did not answer within 150 ms, check the network and the broker/,
  },
  {
    what: 'a peer that accepts TLS dials and says nothing',
    given: async ({ peer }) => ({ address: `mqtts://127.0.0.1:${await peer((socket) => socket.resume())}` }),
    code: 'UNREACHABLE',
    says: /nothing answered within \d+ ms/,
  },
  {
    what: 'a peer that closes at once',
    given: async ({ peer }) => ({ address: `mqtt://127.0.0.1:${await peer((socket) => socket.end())}` }),
    code: 'UNREACHABLE',
    says: /closed the connection before it answered, check that the broker runs, and the port/,
  },
]

const accessMistakes: readonly Mistake[] = [
  {
    what: 'a wrong password',
    given: ({ mosquitto }) => ({
      address: mosquitto.url('plain'),
      options: { auth: { user: 'ann', password: 'wrong' } },
    }),
    code: 'NOT_AUTHORIZED',
    says: /"Not authorized", check the user and the password/,
  },
  {
    what: 'no user where one is needed',
    given: ({ mosquitto }) => ({ address: mosquitto.url('plain') }),
    code: 'NOT_AUTHORIZED',
    says: /"Not authorized", check the user and the password/,
  },
  {
    what: 'a wrong password in MQTT 3.1.1',
    given: ({ embedded }) => ({
      address: embedded.url('plain'),
      options: { auth: { user: 'ann', password: 'wrong' } },
    }),
    code: 'BAD_CREDENTIALS',
    says: /check the user/,
  },
  {
    what: 'a password in plaintext beyond this machine',
    given: () => ({ address: 'mqtt://ann:right@broker.invalid' }),
    code: 'PLAINTEXT_CREDENTIALS',
    says: /use mqtts:\/\/, or say allowPlaintextCredentials/,
  },
  {
    what: 'a publish that the access list refuses',
    given: ({ mosquitto }) => ({ address: mosquitto.url('plain'), options: { auth: right } }),
    use: send('foreign/1'),
    code: 'NOT_AUTHORIZED',
    says: /"foreign\/1".*access list/,
  },
  {
    what: 'a subscription that the access list refuses',
    given: ({ mosquitto }) => ({ address: mosquitto.url('plain'), options: { auth: right } }),
    use: subscribe('foreign/#'),
    code: 'NOT_AUTHORIZED',
    says: /"foreign\/#".*access list/,
  },
  {
    what: 'a subscription that the access list refuses in MQTT 3.1.1',
    given: ({ embedded }) => ({ address: embedded.url('plain'), options: { auth: right } }),
    use: subscribe('foreign/#'),
    code: 'NOT_AUTHORIZED',
    says: /"foreign\/#".*access list/,
  },
  {
    what: "a certificate's identity that publishes to a foreign topic",
    given: async ({ mosquitto, pki }) => ({
      address: mosquitto.url('mutual'),
      options: { tls: { ca: pki.ca, ...(await pki.client('edge-1')) } },
    }),
    use: send('foreign/1'),
    code: 'NOT_AUTHORIZED',
    says: /"foreign\/1".*access list/,
  },
  {
    what: "a message over the broker's limit",
    given: async ({ broker }) => {
      const small = await broker({ settings: { max_packet_size: 1000 } })
      return { address: small.url('plain') }
    },
    use: send('large', 'x'.repeat(2000)),
    code: 'MESSAGE_TOO_LARGE',
    says: /it has 2000 bytes, the link takes \d+, send less/,
  },
  {
    what: 'a broker of MQTT 3.1.1 where version 5 is demanded',
    given: ({ embedded }) => ({
      address: embedded.url('plain'),
      options: { auth: right, options: { version: '5' } },
    }),
    code: 'UNSUPPORTED',
    says: /set version to auto, or to the one that it speaks/,
  },
]

testMistakes([...pathMistakes, ...accessMistakes])
