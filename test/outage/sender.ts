import process from 'node:process'

import { connect } from '../../src/client/index.ts'
import { Load } from './load.ts'

// A process to be killed: it sends numbered messages through a durable outbox, and tells each that was accepted, by its
// number and id, on stdout. Arguments: address, options as JSON, folder, topic, messages a second.

const [url = '', options = '{}', folder = '', topic = '', rate = '100'] = process.argv.slice(2)

const client = await connect(url, { ...JSON.parse(options), outbox: { path: folder, minFreeBytes: 0 } })
const load = new Load(client, {
  topic,
  ratePerSecond: Number(rate),
  onAccepted: ({ n, id }) => void process.stdout.write(`${n} ${id}\n`),
})
process.once('SIGTERM', () => void load.stop().then(() => client.close()))
