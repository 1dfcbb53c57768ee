import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { connect } from '../../src/client/index.ts'
import { startMosquitto, without } from '../brokers/index.ts'
import { startProxy } from '../fault/proxy.ts'

const LIMIT = 500

for (const durable of [true, false]) {
  const where = durable ? 'on disk' : 'in memory'
  test(
    `an application is not held up by an outage until its outbox ${where} has reached its limit, and then only until it is over`,
    { skip: without('mosquitto') },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'backhaul-limit-'))
      t.after(() => rmSync(folder, { recursive: true, force: true }))
      await using broker = await startMosquitto()
      await using proxy = await startProxy({ host: '127.0.0.1', port: broker.port('plain') })
      await proxy.refuse(true)
      const outbox = { durable, path: folder, minFreeBytes: 0, maxMessages: LIMIT }
      await using client = await connect(`mqtt://127.0.0.1:${proxy.port}`, { outbox, lazy: true })
      const send = (n: number) => client.send({ topic: 'limit', payload: `${n}` })
      for (let n = 0; n < LIMIT; n += 1) await send(n)
      assert.deepEqual([client.account.accepted, client.account.pending], [LIMIT, LIMIT])
      let isAccepted = false
      const oneMore = send(LIMIT).then(() => {
        isAccepted = true
      })
      // several commits of the outbox later it still waits
      await client.send({ topic: 'limit', payload: '' }, { deadlineMs: 50 }).catch(() => undefined)
      assert.equal(isAccepted, false)
      assert.equal(client.account.accepted, LIMIT)
      await proxy.refuse(false)
      await oneMore
      await client.drain(AbortSignal.timeout(20_000))
      assert.deepEqual([client.account.accepted, client.account.delivered], [LIMIT + 1, LIMIT + 1])
    },
  )
}
