import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../../src/contract/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import { connect } from '../../../src/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { freePorts } from '../../brokers/index.ts'
import type { DialOptions } from './support.ts'
import { dial, message, publish, subscribe, tlsFrom, words } from './support.ts'

const SECRET = 'hunter2-wrong'

/** One mistake in dialling, and what is said about it. */
interface Mistake {
  readonly url: (broker: RabbitmqBroker) => string
  readonly with: (broker: RabbitmqBroker) => Promise<DialOptions> | DialOptions
  readonly code: ErrorCode
  readonly says: RegExp
}

const plain = (broker: RabbitmqBroker) => broker.url('plain')
const tls = (broker: RabbitmqBroker) => broker.url('tls')
const ann = { auth: { user: 'ann', password: 'secret' } }
const trusted = ({ pki }: RabbitmqBroker) => ({ tls: tlsFrom(pki.ca) })

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'a host that does not exist': {
    url: () => 'amqp://no-such-host.invalid',
    with: () => ann,
    code: 'NAME_NOT_FOUND',
    says: /check its spelling and DNS/,
  },
  'plaintext to the TLS port': {
    url: (broker) => `amqp://127.0.0.1:${broker.port('tls')}`,
    with: () => ann,
    code: 'TLS_REQUIRED',
    says: /the port speaks TLS/,
  },
  'TLS to the plaintext port': {
    url: (broker) => `amqps://127.0.0.1:${broker.port('plain')}`,
    with: (broker) => ({ ...trusted(broker), ...ann }),
    code: 'TLS_NOT_SPOKEN',
    says: /does not speak TLS/,
  },
  'the wrong CA': {
    url: tls,
    with: async ({ pki }) => ({ ...ann, tls: tlsFrom((await pki.foreign('client')).ca) }),
    code: 'SERVER_UNTRUSTED',
    says: /give its CA/,
  },
  'a client certificate of another CA': {
    url: tls,
    with: async ({ pki }) => ({ tls: tlsFrom(pki.ca, await pki.foreign('client')) }),
    code: 'CLIENT_CERTIFICATE_REFUSED',
    says: /does not accept our certificate/,
  },
  'the wrong server name': {
    url: tls,
    with: ({ pki }) => ({ ...ann, tls: tlsFrom(pki.ca, undefined, { serverName: 'other.example' }) }),
    code: 'SERVER_NAME_MISMATCH',
    says: /tls\.serverName/,
  },
  'a wrong password': {
    url: plain,
    with: () => ({ auth: { user: 'ann', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user "ann" or its password, check the credentials/,
  },
  'a wrong password over TLS': {
    url: tls,
    with: (broker) => ({ ...trusted(broker), auth: { user: 'ann', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user "ann"/,
  },
  'an unknown user': {
    url: plain,
    with: () => ({ auth: { user: 'bob', password: SECRET } }),
    code: 'BAD_CREDENTIALS',
    says: /refused the user "bob"/,
  },
  'no user': {
    url: plain,
    with: () => ({}),
    code: 'BAD_CREDENTIALS',
    says: /refused the user "guest" \(none is given\)/,
  },
  'a certificate that is no user': {
    url: tls,
    with: async ({ pki }) => ({ tls: tlsFrom(pki.ca, await pki.client('nobody')) }),
    code: 'BAD_CREDENTIALS',
    says: /refused our certificate/,
  },
  'EXTERNAL without a certificate': {
    url: tls,
    with: (broker) => ({ ...trusted(broker), options: { mechanism: 'EXTERNAL' } }),
    code: 'BAD_CREDENTIALS',
    says: /give tls\.cert and tls\.key/,
  },
  'a virtual host that does not exist': {
    url: (broker) => `${plain(broker)}/missing`,
    with: () => ann,
    code: 'REFUSED',
    says: /no such virtual host, create it/,
  },
  'a virtual host of others': {
    url: (broker) => `${plain(broker)}/others`,
    with: () => ann,
    code: 'NOT_AUTHORIZED',
    says: /may not use this virtual host/,
  },
  'an exchange that does not exist': {
    url: plain,
    with: () => ({ ...ann, options: { exchange: 'missing' } }),
    code: 'REFUSED',
    says: /use the exchange "missing": the broker has no such exchange, create it, or set declareExchange/,
  },
  'an exchange of another type': {
    url: plain,
    with: () => ({ ...ann, options: { exchange: 'fan', declareExchange: true } }),
    code: 'INVALID_OPTIONS',
    says: /with other properties/,
  },
  'an exchange that may not be made': {
    url: plain,
    with: () => ({
      auth: { user: 'weak', password: 'weak' },
      options: { exchange: 'n', declareExchange: true },
    }),
    code: 'NOT_AUTHORIZED',
    says: /no right to it/,
  },
}

/** Checks the form that every error of ours has. */
function check(error: unknown, code: ErrorCode, says: RegExp): true {
  assert.ok(error instanceof BackhaulError)
  assert.equal(error.code, code, error.message)
  assert.match(error.message, says)
  assert.match(error.message, /^Cannot .*: .*, .*[^.]$/)
  assert.ok(!JSON.stringify([error.message, error.brokerReason, String(error.cause)]).includes(SECRET))
  return true
}

/** Mistakes are told apart at a real broker, each with what mends it. C10, C13. */
export function mistakesTests(started: () => RabbitmqBroker): void {
  for (const [name, mistake] of Object.entries(MISTAKES)) {
    test(`C10, C13: dial() tells ${name}, without secrets`, async () => {
      const broker = started()
      const options = await mistake.with(broker)
      await assert.rejects(dial(mistake.url(broker), options), (error) =>
        check(error, mistake.code, mistake.says),
      )
    })
  }

  test('C10: a client with a wrong password says that it is refused, and nothing else', async () => {
    const auth = { user: 'ann', password: SECRET }
    await assert.rejects(connect(plain(started()), { auth }), (error) =>
      check(error, 'BAD_CREDENTIALS', /refused the user "ann"/),
    )
    const client = await connect(plain(started()), { auth, lazy: true })
    const states: string[] = []
    for await (const { state } of client.status()) {
      states.push(state)
      if (state === 'refused') break
    }
    assert.deepEqual(new Set(states), new Set(['connecting', 'refused']))
    await client.close()
  })

  test('dial() tells a closed port', async () => {
    const [port = 0] = await freePorts(1)
    await assert.rejects(dial(`amqp://127.0.0.1:${port}`, ann), (error) =>
      check(error, 'UNREACHABLE', /nothing listens there/),
    )
  })

  test('dial() goes on to the next host where the first is not there', async () => {
    const [port = 0] = await freePorts(1)
    const link = await dial(`amqp://127.0.0.1:${port},127.0.0.1:${started().port('plain')}`, ann)
    assert.match(link.peer.address, new RegExp(`:${started().port('plain')}$`))
    await link.close()
  })

  const REFUSED: readonly {
    name: string
    user: 'ann' | 'weak'
    options: object
    group: string | undefined
    code: ErrorCode
    says: RegExp
  }[] = [
    {
      name: 'a queue that is missing and is not to be made',
      user: 'ann',
      options: { declareQueues: false },
      group: 'm.missing',
      code: 'REFUSED',
      says: /no such queue, create it, or set declareQueues/,
    },
    {
      name: 'a queue that is there with another type',
      user: 'ann',
      options: { queueName: 'classic-queue' },
      group: 'any',
      code: 'INVALID_OPTIONS',
      says: /use the queue "classic-queue": the broker has it with other properties/,
    },
    {
      name: 'a queue that may not be made',
      user: 'weak',
      options: {},
      group: 'm.weak',
      code: 'NOT_AUTHORIZED',
      says: /no right to it/,
    },
  ]
  for (const { name, user, options, group, code, says } of REFUSED) {
    test(`subscribe() tells ${name}, and the link lives`, async () => {
      const auth = user === 'ann' ? ann.auth : { user, password: user }
      const link = await dial(plain(started()), { auth, options: { ...options } })
      await assert.rejects(subscribe(link, ['m.topic'], group), (error) => check(error, code, says))
      // it comes back, since no queue is bound
      assert.deepEqual(words(await publish(link, [message('m.topic', 'x')])), ['refused topic REFUSED'])
      await link.close()
    })
  }
}
