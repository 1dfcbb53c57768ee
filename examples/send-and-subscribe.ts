// The whole library in one page: connect, subscribe with a handler, send, look at the account, close.
// Run it after `npm run build`: node build/examples/send-and-subscribe.js [address]
import process from 'node:process'

import { BackhaulError, connect } from 'backhaul'

const address = process.argv[2] ?? 'memory:example'

try {
  const connection = await connect(address)

  let heard: (text: string) => void = () => {}
  const answer = new Promise<string>((resolve) => (heard = resolve))
  await connection.subscribe('example/+/greetings', (delivery) => {
    heard(`${delivery.topic} says ${Buffer.from(delivery.payload).toString()}`)
  })

  const receipt = await connection.send({ topic: 'example/gate-7/greetings', payload: 'hello' })
  console.log(`the broker acknowledged ${receipt.id}`)
  console.log(await answer)
  console.log(`delivered ${connection.account.delivered} of ${connection.account.accepted}`)

  await connection.close()
} catch (error) {
  if (!(error instanceof BackhaulError)) throw error
  // the text says what mends it; programs switch on the code
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
