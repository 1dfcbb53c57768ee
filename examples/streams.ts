// Node's streams over a connection: lines of text go to a topic, and what comes from it is read in a loop.
// Run it after `npm run build`: node build/examples/streams.js [address]
import process from 'node:process'
import { pipeline } from 'node:stream/promises'

import { connect } from 'backhaul'
import { createReadStream, createWriteStream } from 'backhaul/stream'

const lines = ['first', 'second', 'last']
const connection = await connect(process.argv[2] ?? 'memory:example')

const source = createReadStream(connection, 'example/lines')
await new Promise((resolve) => source.once('ready', resolve))

// done when every line is safe; the writer is held back while too many are not
await pipeline(lines, createWriteStream(connection, { topic: 'example/lines' }))
console.log(`sent ${connection.account.delivered} lines`)

for await (const delivery of source) {
  const text = Buffer.from(delivery.payload).toString()
  console.log(text)
  delivery.ack()
  if (text === lines.at(-1)) break
}
await connection.close()
