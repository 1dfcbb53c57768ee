import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { message, open, publish, subscribe } from '../adaptors/shared/mqtt/open.ts'
import { ScriptedBroker, wellBehaved } from '../adaptors/shared/mqtt/scripted-broker.ts'

// Mosquitto 2.0.11 sends a stored backlog without regard to the Receive Maximum. The session ended for it, and the next one
// got the same backlog again, for ever.
test('a backlog far over the Receive Maximum is worked off on one link, in bounded memory', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { receiveMaximum: 10 })
  const deliveries = await subscribe(session, ['t'])
  const backlog = 50_000
  const payload = 'x'.repeat(1000)
  for (let messageId = 1; messageId <= backlog; messageId += 1) {
    broker.client.send({ cmd: 'publish', topic: 't', payload, qos: 1, dup: false, retain: false, messageId })
  }
  for (let count = 0; count < 1000; count += 1) await turn()
  assert.ok(broker.client.socket.writableLength > 0, 'everything was read although nobody took anything')
  for (let count = 0; count < backlog; count += 1) (await deliveries.next()).value?.ack()
  // the answer comes behind all acknowledgements
  await publish(session, [message('other')]).all
  assert.equal(broker.client.packets.filter(({ cmd }) => cmd === 'puback').length, backlog)
  await session.close()
})
