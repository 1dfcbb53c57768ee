import { once } from 'node:events'
import process from 'node:process'

import { connect } from '../../src/client/index.ts'

// A process to be killed: it sends numbered messages through a durable outbox, and tells each that was accepted, by its number,
// on stdout. It loads everything, and begins with the first line on stdin: so the next one stands ready while one is killed.
// Arguments: address, folder, first number, fsync, `send` or `drain`.

const [url = '', folder = '', first = '0', fsync = 'always', mode = 'send'] = process.argv.slice(2)
if (fsync !== 'always' && fsync !== 'interval' && fsync !== 'never') throw new Error(`no such mode: ${fsync}`)

await import('../../src/adaptors/mqtt/index.ts')
await once(process.stdin, 'data')
process.stdin.destroy()
const client = await connect(url, { outbox: { path: folder, fsync, minFreeBytes: 0 } })
process.stdout.write(`open ${client.account.pending}\n`)

if (mode === 'drain') {
  await client.drain(AbortSignal.timeout(60_000))
  process.stdout.write(`drained ${JSON.stringify(client.account)}\n`)
  await client.close()
} else {
  for (let n = Number(first); ; n += 4) {
    const numbers = [n, n + 1, n + 2, n + 3]
    const sent = numbers.map(async (number) => {
      const key = `k${number % 4}`
      const padding = 'x'.repeat((number * 37) % 3000)
      await client.send({ topic: `crash/${key}`, key, payload: `${number} ${padding}` })
      process.stdout.write(`${number}\n`)
    })
    await Promise.all(sent)
  }
}
