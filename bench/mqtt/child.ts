import process from 'node:process'

import { Round } from '../round.ts'
import type { Side } from './side.ts'

/*
 * One side in its own process. Arguments: side, direction, version, address, topic, payload bytes, messages a round.
 *
 * It says `ready` once it is connected (and subscribed). A publisher then publishes one round for each message from its
 * parent; a subscriber counts what comes. At the end of every round both tell what it took, from the first to the last
 * message.
 */

const [sideName = '', direction = '', version = '', url = '', topic = '', bytesText = '', messagesText = ''] =
  process.argv.slice(2)
const messages = Number(messagesText)

const round = new Round(messages)

// only the library that is measured is loaded
async function open(): Promise<Side> {
  const spoken = version === '5' ? '5' : '3.1.1'
  if (sideName === 'backhaul') return (await import('./backhaul.ts')).openBackhaul(url, spoken)
  return (await import('./mqttjs.ts')).openMqttJs(url, spoken)
}

const side = await open()
if (direction === 'publish') {
  const payload = new Uint8Array(Number(bytesText)).fill(120)
  const publish = async (): Promise<void> => {
    round.start()
    await side.publish(topic, payload, messages)
    round.report()
  }
  process.on('message', () => void publish())
} else {
  let received = 0
  await side.subscribe(topic, () => {
    if (received === 0) round.start()
    received += 1
    if (received < messages) return
    received = 0
    // the acknowledgement of the last one belongs to the round
    setImmediate(() => setImmediate(() => round.report()))
  })
}
process.once('disconnect', () => void side.close())
process.send?.('ready')
