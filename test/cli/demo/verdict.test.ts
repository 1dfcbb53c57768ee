import assert from 'node:assert/strict'
import test from 'node:test'

import type { DemoFacts } from '../../../src/cli/demo/verdict.ts'
import { judge } from '../../../src/cli/demo/verdict.ts'

const tls = {
  version: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  peer: 'CN=broker',
  own: 'CN=gate-7',
  verified: true,
}
const good = {
  device: { protocol: 'MQTT 3.1.1', tls },
  cloud: { protocol: 'MQTT 3.1.1', tls: { ...tls, own: 'CN=cloud' } },
  identities: ['cloud', 'gate-7'],
  ping: { ok: true, device: 'gate-7', afterMs: 12 },
  cut: { forMs: 3001, waited: 15, healedAfterMs: 200 },
  stranger: { letIn: false, reason: 'unknown issuer' },
  trespass: { publishRefused: true, subscribeRefused: true, arrived: 0 },
  sent: { detections: 60, accepted: 61, delivered: 61, notDelivered: 0 },
  received: { distinct: 60, repeated: 2, unreadable: 0, outOfOrder: 0 },
  deviceExit: 0,
} satisfies DemoFacts

function missing(facts: DemoFacts): string[] {
  return judge(facts, 'gate-7', 'cloud')
    .filter(({ held }) => !held)
    .map(({ name }) => name)
}

test('judge() finds every proof held when everything was seen', () => {
  assert.deepEqual(missing(good), [])
})

test('judge() finds no proof held when nothing was seen', () => {
  const proofs = judge({}, 'gate-7', 'cloud')
  assert.equal(proofs.length, 9)
  assert.ok(proofs.every(({ held }) => !held))
})

test('judge() names the one proof that each wrong sight breaks', () => {
  const table: readonly [facts: Partial<DemoFacts>, broken: string][] = [
    [{ device: { protocol: 'MQTT 3.1.1', tls: { ...tls, verified: false } } }, 'mutual TLS'],
    [{ cloud: { protocol: 'MQTT 3.1.1' } }, 'mutual TLS'],
    [{ cloud: { protocol: 'MQTT 3.1.1', tls: { ...tls, version: 'TLSv1.1' } } }, 'mutual TLS'],
    [{ cloud: { protocol: 'MQTT 3.1.1', tls: { ...tls, own: undefined } } }, 'mutual TLS'],
    [{ identities: ['cloud'] }, 'both identities'],
    [{ device: { protocol: 'MQTT 3.1.1', tls: { ...tls, own: 'CN=gate-8' } } }, 'both identities'],
    [{ ping: { ...good.ping, ok: false } }, 'a command is answered'],
    [{ ping: { ...good.ping, device: 'gate-8' } }, 'a command is answered'],
    [{ cut: { ...good.cut, waited: 0 } }, 'the line heals'],
    [{ cut: { ...good.cut, forMs: 2500 } }, 'the line heals'],
    [{ received: { ...good.received, distinct: 59 } }, 'nothing is lost'],
    [{ received: { ...good.received, distinct: 61 } }, 'nothing is lost'],
    [{ received: { ...good.received, unreadable: 1 } }, 'nothing is lost'],
    [{ sent: { ...good.sent, notDelivered: 1 } }, 'nothing is lost'],
    [{ sent: { ...good.sent, delivered: 60 } }, 'nothing is lost'],
    [{ received: { ...good.received, outOfOrder: 1 } }, 'order is kept'],
    [{ deviceExit: 1 }, 'the device ends well'],
    [{ deviceExit: undefined }, 'the device ends well'],
    [{ stranger: { letIn: true, reason: 'unknown issuer' } }, 'a stranger is refused'],
    [{ stranger: { letIn: false, reason: undefined } }, 'a stranger is refused'],
    [{ trespass: { ...good.trespass, publishRefused: false } }, 'each to its own topics'],
    [{ trespass: { ...good.trespass, subscribeRefused: false } }, 'each to its own topics'],
    [{ trespass: { ...good.trespass, arrived: 1 } }, 'each to its own topics'],
  ]
  for (const [facts, broken] of table) {
    assert.deepEqual(missing({ ...good, ...facts }), [broken], JSON.stringify(facts))
  }
})
