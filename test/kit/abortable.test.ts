import assert from 'node:assert/strict'
import { test } from 'node:test'

import { abortable } from '../../src/kit/abortable.ts'

async function* silence(): AsyncGenerator<number> {
  yield 1
  await new Promise<void>(() => undefined)
}

test('abortable() throws the reason while nothing arrives', async () => {
  const controller = new AbortController()
  const seen: number[] = []
  await assert.rejects(
    async () => {
      for await (const item of abortable(silence(), controller.signal)) {
        seen.push(item)
        setImmediate(() => controller.abort(new Error('enough')))
      }
    },
    { message: 'enough' },
  )
  assert.deepEqual(seen, [1])
})

test('abortable() gives everything when nobody aborts, and passes the error of the source on', async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1
    yield 2
    throw new Error('broken')
  }
  const seen: number[] = []
  await assert.rejects(
    async () => {
      for await (const item of abortable(failing(), new AbortController().signal)) seen.push(item)
    },
    { message: 'broken' },
  )
  assert.deepEqual(seen, [1, 2])
})
