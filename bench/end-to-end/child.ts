import process from 'node:process'

import { connect } from '../../src/client/index.ts'
import { Round } from '../round.ts'

// One sender in its own process, through the public API. Arguments: address, folder of a durable outbox or '', topic, payload
// bytes, messages a round, senders. Each sender awaits its `send()`; a round ends when the broker has acknowledged everything.

const [url = '', folder = '', topic = '', bytes = '', messagesText = '', senders = ''] = process.argv.slice(2)
const messages = Number(messagesText)
const round = new Round(messages)
const payload = new Uint8Array(Number(bytes)).fill(120)
const keys = Array.from({ length: 64 }, (_, index) => `camera-${index}`)

const client = await connect(url, folder === '' ? {} : { outbox: { path: folder, minFreeBytes: 0 } })

async function run(): Promise<void> {
  round.start()
  let left = messages
  const sender = async (_: unknown, index: number): Promise<void> => {
    const key = keys[index % keys.length]
    while (left > 0) {
      left -= 1
      await client.send({ topic, payload, key })
    }
  }
  await Promise.all(Array.from({ length: Number(senders) }, sender))
  await client.drain(AbortSignal.timeout(60_000))
  round.report()
}

process.on('message', () => void run())
process.once('disconnect', () => void client.close())
process.send?.('ready')
