// A program of DeepStream's library nvmsgbroker, carried over: connect, subscribe, send, disconnect, by return codes and callbacks.
// Run it after `npm run build`: node build/examples/nvmsgbroker.js [connection] [library] [config]
import process from 'node:process'

import { createNvMsgBroker, NvMsgBrokerStatus } from 'backhaul/nvmsgbroker'

const [connection = 'example', library = 'libnvds_memory_proto.so', config = null] = process.argv.slice(2)

const broker = createNvMsgBroker({ onLog: (line) => console.error(line) })
console.log(`nvmsgbroker ${broker.version()}, ${broker.adaptor(library)?.protocol}`)

const states = ['OK', 'ERR', 'RECONNECTING', 'NOT_SUPPORTED']
const handle = await broker.connect(
  connection,
  library,
  (_, status) => console.log(`connection: ${states[status]}`),
  config,
)

let heard: (text: string) => void = () => {}
const message = new Promise<string>((resolve) => (heard = resolve))
await broker.subscribe(handle, ['detections'], (status, bytes, topic) =>
  heard(`${states[status]} ${topic}: ${Buffer.from(bytes).toString()}`),
)

const sent = broker.sendAsync(
  handle,
  { topic: 'detections', payload: '{"sensor":{"id":"gate-7"}}' },
  (frame, status) => console.log(`frame ${String(frame)}: ${states[status]}`),
  17,
)
if (sent === NvMsgBrokerStatus.OK) console.log(await message)
else process.exitCode = 1

await broker.disconnect(handle)
