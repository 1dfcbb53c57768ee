import assert from 'node:assert/strict'
import { test } from 'node:test'

import { connect } from '../../src/client/index.ts'

// each was ignored, or a TypeError, or a subscription that never got anything
const SEND = [
  [{ priority: 'urgent' }, /"priority" must be one of "control", "alarm", "telemetry"/],
  [{ deadlineMs: Number.NaN }, /"deadlineMs" must be a number of milliseconds/],
  [{ expiresAfterMs: '5s' }, /"expiresAfterMs" must be a number of milliseconds/],
  [{ deadlinems: 5 }, /"deadlinems" is unknown, did you mean "deadlineMs"\?/],
] as const
const SUBSCRIBE = [
  [{ maxInWork: 0 }, /"maxInWork" must be a whole number from 1/],
  [{ concurrency: 0 }, /"concurrency" must be a whole number from 1/],
  [{ groop: 'a' }, /"groop" is unknown, did you mean "group"\?/],
] as const

test('send() and subscribe() refuse options that are wrong or unknown', async () => {
  const client = await connect('memory:ignored-options')
  // as JavaScript calls them
  const call = (method: string, ...args: unknown[]): Promise<unknown> =>
    Reflect.apply(Reflect.get(client, method), client, args)
  for (const [options, message] of SEND) {
    const sent = call('send', { topic: 'a', payload: 'x' }, options)
    await assert.rejects(sent, { code: 'INVALID_OPTIONS', message })
  }
  for (const [options, message] of SUBSCRIBE) {
    const made = call('subscribe', 'a', () => undefined, options)
    await assert.rejects(made, { code: 'INVALID_OPTIONS', message })
  }
  assert.equal(client.account.accepted, 0)
  await client.close()
})
