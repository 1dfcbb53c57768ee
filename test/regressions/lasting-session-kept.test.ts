import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startAgent } from '../agent/fixture.ts'
import { connect } from '../../src/client/index.ts'
import { cli, FakeProcess } from '../cli/fake-io.ts'

// whoever stopped unsubscribed, and what came until the next start was lost although the broker would have kept it
test('a command that comes while the agent is down is answered when it runs again', async (t) => {
  const config = {
    device: { id: 'gate' },
    connections: { cloud: { url: 'memory:restart', options: { clientId: 'gate' } } },
    commands: [{ connection: 'cloud', topics: ['commands'], replyTopic: 'replies' }],
  }
  const cloud = await connect('memory:restart')
  const replies = await cloud.subscribe('replies')
  const first = await startAgent(t, config)
  await first.log.line(({ text }) => text === 'commands are taken')
  await first.agent.stop()
  await cloud.send({ topic: 'commands', payload: '{"id":"1","command":"ping"}' })
  await startAgent(t, config)
  const { value: reply } = await replies.next()
  assert.match(Buffer.from(reply?.payload ?? []).toString(), /"id":"1".*"status":"ok"/)
  await cloud.close()
})

test('sub leaves to a lasting session what it did not write, after --count and after SIGINT', async () => {
  const sub = async (...more: string[]) => {
    const process = new FakeProcess()
    const ended = process.run('sub', 'memory:lasting', 'a', '-o', 'clientId=me', ...more)
    await process.until(/subscribed to/)
    return { process, ended }
  }
  const pub = (text: string) => cli('pub', 'memory:lasting', 'a', '--message', text)
  const one = await sub('--count', '1')
  await pub('one')
  assert.equal(await one.ended, 0)
  await pub('two')
  const two = await sub('--count', '1')
  assert.equal(await two.ended, 0)
  assert.equal(two.process.out, 'two\n')
  const stopped = await sub()
  stopped.process.signal('SIGINT')
  assert.equal(await stopped.ended, 0)
  await pub('three')
  const three = await sub('--count', '1', '--deadline', '5s')
  assert.equal(await three.ended, 0)
  assert.equal(three.process.out, 'three\n')
})
