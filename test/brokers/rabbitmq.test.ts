import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { startRabbitmq, withoutRabbitmq } from './index.ts'

const skip = withoutRabbitmq('amqp-publish', 'amqp-get')
const run = promisify(execFile)

test(
  'startRabbitmq() has its users, keeps messages over kill(), and stops when it is frozen',
  { skip },
  async () => {
    await using broker = await startRabbitmq({
      users: { ann: { password: 'secret' } },
      queues: [{ name: 'kept', topics: ['a.*'] }],
    })
    const url = (password: string) => ['--url', `amqp://ann:${password}@127.0.0.1:${broker.port('plain')}`]
    await assert.rejects(run('amqp-publish', [...url('wrong'), '-r', 'a.b', '-b', 'x']))
    await run('amqp-publish', [...url('secret'), '-e', 'amq.topic', '-r', 'a.b', '-p', '-b', 'hello'])
    // another message of the same queue, read at once, shows that the broker is done with the first
    await broker.ctl('list_queues')
    await broker.kill()
    assert.equal(broker.pid, 0)
    await broker.restart()
    assert.equal((await run('amqp-get', [...url('secret'), '-q', 'kept'])).stdout, 'hello')

    broker.freeze()
    // the kernel still accepts
    const socket = connect(broker.port('plain'), '127.0.0.1')
    await once(socket, 'connect')
    socket.on('error', () => undefined)
    await broker.stop()
    await broker.stop()
    socket.destroy()
  },
)
