import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ConnectOptions } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import type { KafkaDriver } from './support.ts'
import { createTokenIssuer } from '../../brokers/index.ts'

type Auth = NonNullable<ConnectOptions['auth']>

/** OAUTHBEARER at a broker that verifies signed tokens by their issuer's keys. */
export function tokenTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const open = (auth: Auth, options: Readonly<Record<string, unknown>> = { sasl: 'OAUTHBEARER' }) =>
    connect(started().url('oauth'), {
      tls: { ca: started().pki.ca },
      auth,
      options: { driver, ...options },
      // what passes is tried again until then
      connectTimeoutMs: 1000,
    })
  const script = (name: string, body: string) => started().pki.file(name, `#!/bin/sh\n${body}\n`, 0o700)
  const rejects = (attempt: Promise<unknown>, code: ErrorCode, says: RegExp, secret?: string) =>
    assert.rejects(attempt, (error) => {
      assert.ok(error instanceof BackhaulError)
      assert.equal(error.code, code, error.message)
      assert.match(error.message, says)
      if (secret !== undefined) assert.ok(!error.message.includes(secret), error.message)
      return true
    })

  test('connect() asks a function for the token at each dial, and sends as its subject', async () => {
    await started().admin.createTopic('o.function')
    await started().admin.allow('edge-9', 'write topic o.function')
    let asked = 0
    const token = () => {
      asked += 1
      return Promise.resolve(started().token({ subject: 'edge-9' }))
    }
    const client = await open({ token })
    await (await client.send({ topic: 'o.function', payload: 'x' })).delivered()
    assert.equal(asked, 1)
    await client.close()
    await (await open({ token })).close()
    assert.equal(asked, 2)
  })

  test('connect() runs a program for the token, and takes the first line that it prints', async () => {
    const file = await started().pki.file('token', started().token({ subject: 'edge-9' }))
    const client = await open({ tokenCommand: ['cat', file] })
    assert.equal(client.current.state, 'connected')
    await client.close()
  })

  test('a token goes as the password too, where it comes in a file', async () => {
    const file = await started().pki.file('token', started().token({ subject: 'edge-9' }))
    await (await open({ user: 'edge-9', passwordFile: file })).close()
  })

  const tokens: Readonly<Record<string, () => string>> = {
    'has ended': () => started().token({ subject: 'edge-9', endsInSeconds: -120 }),
    'is of another issuer': () => createTokenIssuer().token({ subject: 'edge-9' }),
    'is for another audience': () => started().token({ subject: 'edge-9', audience: 'elsewhere' }),
    'is none at all': () => 'hunter2-token',
  }
  for (const [what, make] of Object.entries(tokens)) {
    test(`a token that ${what} rejects with BAD_CREDENTIALS, and is not told`, async () => {
      const token = make()
      await rejects(
        open({ token: () => token }),
        'BAD_CREDENTIALS',
        /refused the token, get a new one/,
        token,
      )
    })
  }

  test('a program that fails is told by its exit code and last line, without secrets', async () => {
    const failing = await script(
      'failing',
      'echo first >&2; echo "no access for $1 (eyJhbGciOiJFUzI1NiJ9.e30)" >&2; exit 7',
    )
    const attempt = open({ tokenCommand: [failing, 'hunter2-argument'] })
    await rejects(
      attempt,
      'TOKEN_FAILED',
      /ended with exit code 7 and said "no access for \.\.\. \(\.\.\.\)", run it/,
      'hunter2',
    )
    const shell = open({ tokenCommand: ['echo hunter2-shell; true'] })
    await rejects(shell, 'TOKEN_FAILED', /there is no program/)
    const silent = await script('silent', 'exit 0')
    await rejects(open({ tokenCommand: [silent] }), 'TOKEN_FAILED', /ended well and printed no line/)
  })

  test('a program or function that takes too long ends at its deadline', async () => {
    const slow = await script('slow', 'exec sleep 30')
    await rejects(open({ tokenCommand: [slow], tokenTimeoutMs: 100 }), 'TIMEOUT', /did not end within 100 ms/)
    const never = () => new Promise<string>(() => undefined)
    await rejects(open({ token: never, tokenTimeoutMs: 50 }), 'TIMEOUT', /did not give one within 50 ms/)
    const throwing = () => {
      throw new Error('the provider is away')
    }
    await rejects(open({ token: throwing }), 'TOKEN_FAILED', /the function threw, see the cause/)
  })

  test('a token without sasl: OAUTHBEARER, and what does not go together, is told in words', async () => {
    const token = () => started().token({ subject: 'edge-9' })
    await rejects(open({ token }, {}), 'INVALID_OPTIONS', /PLAIN wants a user.*set sasl to OAUTHBEARER/)
    await rejects(open({ token, password: 'x' }), 'INVALID_OPTIONS', /both "password" and "token" are given/)
    await rejects(open({}), 'INVALID_OPTIONS', /"auth\.user" is missing/)
    const shared = connect(started().url('oauth'), { auth: { token }, share: true })
    await rejects(shared, 'INVALID_OPTIONS', /whether two functions give equal tokens/)
  })
}
