import process from 'node:process'

import { connect } from '../../src/client/index.ts'
import { deferred } from '../../src/kit/deferred.ts'
import type { Place } from './side.ts'
import { HEADER, IN_FLIGHT, KEYS } from './side.ts'

/*
 * Sends messages to a topic and reads them back, in one process. Arguments: the place of the broker as JSON, topic, how many
 * messages. It says `ready`, and at the end of each step of so many messages what memory it has.
 */

/** Sending waits when so many messages are not read yet: the topic's retention must not overtake reading. */
const MAX_BEHIND = 50_000

const [placeText = '', topic = '', countText = '', stepText = ''] = process.argv.slice(2)
const place: Place = JSON.parse(placeText)
const count = Number(countText)
const step = Number(stepText)
const payload = new Uint8Array(200).fill(120)
const headers = { [HEADER[0]]: HEADER[1] }

const client = await connect(`${place.tls === undefined ? 'kafka' : 'kafkas'}://${place.address}`, {
  ...(place.tls !== undefined && { tls: place.tls }),
})

let sent = 0
let received = 0
let room = deferred()

function take(): void {
  received += 1
  if (received % 1000 === 0) room.resolve()
  if (received % step !== 0) return
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send?.({ received, rss, heapUsed, external })
}

async function sender(): Promise<void> {
  while (sent < count) {
    if (sent - received > MAX_BEHIND) {
      room = deferred()
      await room.promise
      continue
    }
    const key = KEYS[sent % KEYS.length]
    sent += 1
    await client.send({ topic, payload, key, headers })
  }
}

await client.subscribe(topic, take, { group: 'soak', maxInWork: IN_FLIGHT })
process.once('disconnect', () => void client.close())
process.send?.('ready')
await Promise.all(Array.from({ length: IN_FLIGHT }, sender))
