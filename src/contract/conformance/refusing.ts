import assert from 'node:assert/strict'

import type { Capabilities } from '../adaptor.ts'
import type { ErrorCode } from '../errors.ts'
import type { Behaviour } from './behaviour.ts'
import { behaviour, can, given } from './behaviour.ts'
import { checkNoSecret, describe } from './errors.ts'
import type { Scope } from './scope.ts'
import { neverAborted } from './scope.ts'
import { wordOf } from './settlements.ts'

/** What an adaptor owes to what is wrong, and what it tells about itself. */
export const REFUSING: readonly Behaviour[] = [
  behaviour(
    'a message that is too large is refused by itself, and the link lives',
    [
      given('the harness knows no size that is refused', ({ harness }) => {
        return harness.promises.refusedPayloadBytes !== undefined
      }),
    ],
    tooLarge,
  ),
  behaviour(
    'an empty payload is refused by itself where it cannot be sent',
    [given('the capabilities say emptyPayload: true', ({ capabilities }) => !capabilities.emptyPayload)],
    emptyRefused,
  ),
  behaviour('a bad topic is refused by checkTopic() and by the link, which lives', [], badTopics),
  behaviour(
    'publishing to a forbidden topic is refused with scope topic, and the link lives',
    [
      can('reportsRefusals'),
      given('the harness has no topic that is forbidden to publish to', ({ harness }) => {
        return harness.forbidden?.publish !== undefined
      }),
    ],
    forbiddenPublish,
  ),
  behaviour(
    'subscribing to a forbidden topic rejects with NOT_AUTHORIZED, and the link lives',
    [
      can('subscribes'),
      given('the harness has no topic that is forbidden to subscribe to', ({ harness }) => {
        return harness.forbidden?.subscribe !== undefined
      }),
    ],
    forbiddenSubscribe,
  ),
  behaviour('what the capabilities deny rejects with UNSUPPORTED or INVALID_TOPIC', [], denied),
  behaviour(
    'refused credentials reject with a code that says so',
    [given('the broker accepts everybody', ({ harness }) => harness.stranger !== undefined)],
    strangersAreRefused,
  ),
  behaviour('a place where nothing answers rejects with UNREACHABLE', [], unreachable),
  behaviour('every error has a code of the closed list and a text without secrets', [], errorsAreOurs),
  behaviour('the peer says who is at the other end', [], peerTells),
  behaviour('a link narrows the capabilities of its adaptor and never widens them', [], linksNarrow),
  behaviour('signatures are equal for equal options only, and hold no secret', [], signatures),
]

async function tooLarge(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('large')
  const payload = new Uint8Array(scope.harness.promises.refusedPayloadBytes ?? 0)
  const [before, large, after] = await scope.publish(link, [
    scope.message(topic, { key: 'a' }),
    scope.message(topic, { key: 'b', payload }),
    scope.message(topic, { key: 'c' }),
  ])
  assert.ok(before !== undefined && large !== undefined && after !== undefined)
  assert.equal(wordOf(large), 'refused message')
  assert.ok(large.kind === 'refused')
  assert.equal(scope.check(large.error).code, 'MESSAGE_TOO_LARGE')
  assert.deepEqual([wordOf(before), wordOf(after)], ['delivered', 'delivered'])
  await scope.works(link)
}

async function emptyRefused(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const [outcome] = await scope.publish(link, [
    scope.message(await scope.topic('empty'), { payload: new Uint8Array() }),
  ])
  assert.ok(outcome?.kind === 'refused', 'an empty payload was not refused')
  assert.equal(outcome.scope, 'message')
  scope.check(outcome.error)
  await scope.works(link)
}

async function badTopics(scope: Scope): Promise<void> {
  const { adaptor, badTopics } = scope.harness
  assert.ok(badTopics.length > 0, 'the harness names no bad topic')
  const link = await scope.dial()
  for (const topic of badTopics) {
    assert.throws(
      () => adaptor.checkTopic(topic, 'publish'),
      (error) => scope.check(error).code === 'INVALID_TOPIC',
    )
    const [outcome] = await scope.publish(link, [scope.message(topic)])
    assert.ok(outcome !== undefined)
    assert.ok(outcome.kind === 'refused', `${JSON.stringify(topic)} was ${wordOf(outcome)}`)
    assert.notEqual(outcome.scope, 'link')
    assert.equal(scope.check(outcome.error).code, 'INVALID_TOPIC')
  }
  adaptor.checkTopic(await scope.topic('good'), 'publish')
  if (adaptor.capabilities.subscribes) adaptor.checkTopic(await scope.topic('good'), 'subscribe')
  await scope.works(link)
}

async function forbiddenPublish(scope: Scope): Promise<void> {
  const topic = scope.harness.forbidden?.publish ?? ''
  const link = await scope.dial()
  const [outcome] = await scope.publish(link, [scope.message(topic)])
  assert.ok(outcome !== undefined)
  assert.equal(wordOf(outcome), 'refused topic')
  assert.ok(outcome.kind === 'refused')
  scope.check(outcome.error)
  await scope.works(link)
}

async function forbiddenSubscribe(scope: Scope): Promise<void> {
  const topic = scope.harness.forbidden?.subscribe ?? ''
  const link = await scope.dial()
  const asked = link.subscribe([topic], { group: undefined, maxInWork: 10 }, neverAborted())
  assert.equal((await scope.rejects('subscribing to a forbidden topic', asked)).code, 'NOT_AUTHORIZED')
  await scope.works(link)
}

async function denied(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const { capabilities } = link
  const topic = await scope.topic('denied')
  const ask = async (topics: readonly string[], group: string | undefined, code: ErrorCode) => {
    const asked = link.subscribe(topics, { group, maxInWork: 1 }, neverAborted())
    assert.equal((await scope.rejects('a subscription that cannot be', asked)).code, code)
  }
  await ask([], undefined, capabilities.subscribes ? 'INVALID_TOPIC' : 'UNSUPPORTED')
  if (!capabilities.subscribes) await ask([topic], undefined, 'UNSUPPORTED')
  else if (!capabilities.groups) await ask([topic], scope.harness.group('denied'), 'UNSUPPORTED')
  await scope.works(link)
}

const REFUSALS: readonly ErrorCode[] = [
  'BAD_CREDENTIALS',
  'NOT_AUTHORIZED',
  'CLIENT_CERTIFICATE_REQUIRED',
  'CLIENT_CERTIFICATE_REFUSED',
  'REFUSED',
]

async function strangersAreRefused(scope: Scope): Promise<void> {
  const stranger = await scope.harness.stranger?.()
  assert.ok(stranger !== undefined)
  const error = await scope.rejects('the dial of a stranger', dialled(scope, stranger))
  assert.ok(REFUSALS.includes(error.code), `a stranger was refused with ${describe(error)}`)
}

async function dialled(scope: Scope, request: Parameters<Scope['dial']>[0] & object): Promise<void> {
  const link = await scope.harness.adaptor.dial(request, AbortSignal.timeout(scope.waitMs))
  scope.track(link)
}

async function unreachable(scope: Scope): Promise<void> {
  const request = await scope.harness.unreachable()
  const error = await scope.rejects('a dial to a closed port', dialled(scope, request))
  assert.equal(error.code, 'UNREACHABLE')
  assert.equal(error.retryable, true)
}

/** Provokes the errors that can be had everywhere; each is checked as it comes. */
async function errorsAreOurs(scope: Scope): Promise<void> {
  const { harness } = scope
  await scope.rejects('a dial to a closed port', dialled(scope, await harness.unreachable()))
  if (harness.stranger !== undefined) {
    await scope.rejects('the dial of a stranger', dialled(scope, await harness.stranger()))
  }
  const client = await harness.client('plain')
  const aborted = await scope.rejects('an aborted dial', harness.adaptor.dial(client, AbortSignal.abort()))
  assert.equal(aborted.code, 'ABORTED')
  const link = await scope.dial(client)
  const topic = await scope.topic('errors')
  await scope.close(link)
  scope.check(await link.lost)
  for (const outcome of await scope.publish(link, scope.messages(topic, 2))) {
    assert.ok(outcome.kind === 'failed', `publishing on a closed link was ${wordOf(outcome)}`)
    scope.check(outcome.error)
  }
  await scope.rejects(
    'subscribing on a closed link',
    link.subscribe([topic], { group: undefined, maxInWork: 1 }, neverAborted()),
  )
  const { address } = harness.configurations[0] ?? {}
  assert.ok(address !== undefined, 'the harness names no configuration')
  const wrong = { thereIsNoSuchOption: true }
  assert.throws(
    () => harness.adaptor.options(address, wrong),
    (error) => scope.check(error).code === 'INVALID_OPTIONS',
  )
}

async function peerTells(scope: Scope): Promise<void> {
  const client = await scope.harness.client('plain')
  const { peer } = await scope.dial(client)
  assert.notEqual(peer.protocol, '')
  assert.notEqual(peer.address, '')
  checkNoSecret('the peer', JSON.stringify(peer), scope.harness.secrets)
  assert.equal(peer.tls === undefined, client.tls === undefined, 'tls tells of another link')
  if (peer.tls === undefined || client.tls === undefined) return
  assert.match(peer.tls.version, /^TLSv1\.\d$/)
  assert.notEqual(peer.tls.cipher, '')
  assert.equal(peer.tls.verified, !client.tls.insecureSkipVerify)
  if (peer.tls.verified) assert.notEqual(peer.tls.peer, '')
  assert.equal(peer.tls.own === undefined, client.tls.cert === undefined && client.tls.pfx === undefined)
}

async function linksNarrow(scope: Scope): Promise<void> {
  const best = scope.harness.adaptor.capabilities
  for (const kind of ['plain', 'durable'] as const) {
    const { capabilities } = await scope.dial(await scope.harness.client(kind))
    const names: readonly (keyof Capabilities)[] = capabilityNames(best)
    for (const name of names) {
      assert.ok(capabilities[name] !== undefined, `the link says nothing about ${name}`)
      assert.ok(Number(capabilities[name]) <= Number(best[name]), `the link widens ${name}`)
      if (typeof best[name] === 'number') assert.ok(Number(capabilities[name]) > 0, `${name} is not positive`)
    }
  }
}

function capabilityNames(capabilities: Capabilities): (keyof Capabilities)[] {
  return Object.keys(capabilities).filter((name): name is keyof Capabilities => name in capabilities)
}

async function signatures(scope: Scope): Promise<void> {
  const { adaptor, configurations, secrets } = scope.harness
  assert.ok(configurations.length > 1, 'the harness names fewer than two configurations')
  const sign = () =>
    configurations.map(({ address, config }) => adaptor.signature(adaptor.options(address, config)))
  const first = sign()
  assert.deepEqual(sign(), first, 'equal options have different signatures')
  assert.equal(new Set(first).size, first.length, 'different options have equal signatures')
  for (const text of first) checkNoSecret('a signature', text, secrets)
  await Promise.resolve()
}
