import { connectAsync } from 'mqtt'

import type { Row, Side } from './side.ts'
import { IN_FLIGHT } from './side.ts'

/** Bare MQTT.js with its defaults, published by callback: that costs it less than `publishAsync()`. */
export async function openMqttJs(url: string, version: Row['version']): Promise<Side> {
  const client = await connectAsync(url, { protocolVersion: version === '5' ? 5 : 4, clean: true })
  return {
    publish(topic, payload, messages) {
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
      let left = messages
      let open = messages
      return new Promise((resolve, reject) => {
        const next = (): void => {
          left -= 1
          client.publish(topic, bytes, { qos: 1 }, done)
        }
        const done = (error?: Error): void => {
          if (error !== undefined && error !== null) reject(error)
          open -= 1
          if (open === 0) resolve()
          else if (left > 0) next()
        }
        for (let started = Math.min(IN_FLIGHT, messages); started > 0; started -= 1) next()
      })
    },
    async subscribe(topic, received) {
      client.on('message', received)
      await client.subscribeAsync(topic, { qos: 1 })
    },
    close: () => client.endAsync(),
  }
}
