import assert from 'node:assert/strict'
import test from 'node:test'

import { connect } from '../../../src/client/index.ts'
import { CloudProcess } from '../../../src/cli/demo/cloud-process.ts'
import { startEmbeddedBroker } from '../../../src/cli/demo/index.ts'
import { CLOUD, DEVICE, RULES, setStage } from '../../../src/cli/demo/stage.ts'
import { Watch } from '../../../src/cli/demo/watch.ts'

function detection(id: string): string {
  return JSON.stringify({ id, time: '2026-03-02T08:00:00.000Z', data: { objects: [{}, {}] } })
}

test('the cloud tells first arrivals, repeats, what is out of order and what it cannot read, and ends when let go', async () => {
  const stage = await setStage()
  const broker = await startEmbeddedBroker({
    listeners: { main: { tls: { ...stage.broker, requireClientCertificate: true } } },
    rules: RULES,
  })
  const url = `mqtts://127.0.0.1:${broker.port('main')}`
  const watch = new Watch()
  const signal = AbortSignal.timeout(20_000)
  const until = (holds: () => boolean) => watch.until(holds, 'it comes', 10_000, signal)
  const arrivals: [number, number][] = []
  const cloud = new CloudProcess({ url, tls: stage.cloud }, watch, ({ people }, count) =>
    arrivals.push([people, count]),
  )
  const device = await connect(url, { tls: stage.device })
  try {
    await until(() => cloud.peer !== undefined)
    assert.equal(cloud.peer?.tls?.own, `CN=${CLOUD}`)
    const topic = `devices/${DEVICE}/detections`
    for (const id of ['1', '3', '3', '2']) await device.send({ topic, payload: detection(id) })
    await device.send({ topic, payload: 'no detection' })
    // an answer to a command that somebody else has sent
    const reply = { id: 'x', command: 'ping', device: DEVICE, status: 'ok', result: 1, time: '' }
    await device.send({ topic: `devices/${DEVICE}/replies`, payload: JSON.stringify(reply) })
    await until(() => cloud.replies.has('x') && cloud.unreadable.length > 0)
    assert.deepEqual(cloud.received(DEVICE), { distinct: 3, repeated: 1 })
    assert.deepEqual(arrivals, [
      [2, 1],
      [2, 2],
      [2, 3],
    ])
    assert.equal(cloud.outOfOrder, 1)
    assert.deepEqual(cloud.unreadable, [topic])
    assert.equal(cloud.replies.get('x')?.afterMs, undefined)
  } finally {
    await device.close()
    await cloud.close()
    await cloud.close()
    assert.equal(cloud.failure, undefined)
    await broker.close()
    await stage.close()
  }
})

test('the cloud says why it cannot go on when the broker does not let it in', async () => {
  const stage = await setStage()
  const broker = await startEmbeddedBroker({
    listeners: { main: { tls: { ...stage.broker, requireClientCertificate: true } } },
  })
  const watch = new Watch()
  const settings = { url: `mqtts://127.0.0.1:${broker.port('main')}`, tls: stage.stranger }
  const cloud = new CloudProcess(settings, watch, () => undefined)
  await watch.until(() => cloud.failure !== undefined, 'it fails', 15_000, AbortSignal.timeout(20_000))
  assert.match(cloud.failure?.message ?? '', /^Cannot play the cloud: Cannot connect to /)
  await cloud.close()
  await broker.close()
  await stage.close()
})
