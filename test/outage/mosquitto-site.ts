import { setTimeout as sleep } from 'node:timers/promises'

import type { MqttClient } from 'mqtt'
import { connectAsync } from 'mqtt'

import { startMosquitto } from '../brokers/index.ts'
import { startProxy } from '../fault/proxy.ts'
import { untilItWorks } from './programs.ts'
import type { Arrival, OutageSite } from './site.ts'
import { faultsOf, ID_NAME } from './site.ts'

const ARRIVAL_MS = 60_000

/** A Mosquitto that writes its store at its end. MQTT.js subscribes at its other side, with a session that lasts. */
export async function startMosquittoSite(quick: boolean): Promise<OutageSite> {
  const broker = await startMosquitto({
    persistence: true,
    settings: { max_inflight_messages: 1000, max_queued_messages: 1_000_000 },
  })
  const port = broker.port('plain')
  const proxy = await startProxy({ host: '127.0.0.1', port })
  const inboxes = new Map<string, Inbox>()
  const words = ['-V', '5', '-h', '127.0.0.1', '-p', String(proxy.port), '-q', '1', '-t', 'probe', '-s']
  const dispose = async () => {
    for (const inbox of inboxes.values()) await inbox.close()
    await proxy.close()
    await broker.stop()
  }
  return {
    url: `mqtt://127.0.0.1:${proxy.port}`,
    options: { options: quick ? { keepAliveSeconds: 1 } : {} },
    async topic(label) {
      const topic = `outage/${label}`
      inboxes.set(topic, await Inbox.open(port, topic))
      return topic
    },
    ...faultsOf(broker, proxy),
    answers: () => untilItWorks('mosquitto_pub', words, 'x'),
    arrivals: async (topic, count) => (await inboxes.get(topic)?.arrivals(count)) ?? [],
    [Symbol.asyncDispose]: dispose,
  }
}

/** What came to a topic, seen by MQTT.js. */
export class Inbox {
  readonly #client: MqttClient
  readonly #all: Arrival[] = []
  readonly #ids = new Set<string>()

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (_, payload, { properties }) => {
      const id = String(properties?.userProperties?.[ID_NAME])
      this.#ids.add(id)
      this.#all.push({ text: payload.toString(), id, atMs: Date.now() })
    })
  }

  /** Subscribes, with a session that lasts. */
  static async open(
    port: number,
    topic: string,
    auth: { readonly username?: string; readonly password?: string } = {},
  ): Promise<Inbox> {
    const client = await connectAsync({
      host: '127.0.0.1',
      port,
      ...auth,
      protocolVersion: 5,
      clientId: `oracle ${topic}`,
      clean: false,
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 1000 },
      reconnectPeriod: 100,
      keepalive: 5,
    })
    // it comes back by itself
    client.on('error', () => undefined)
    const inbox = new Inbox(client)
    await client.subscribeAsync(topic, { qos: 1 })
    return inbox
  }

  /** See `OutageSite.arrivals()`. */
  async arrivals(count: number): Promise<readonly Arrival[]> {
    const deadline = performance.now() + ARRIVAL_MS
    while (this.#ids.size < count && performance.now() < deadline) await sleep(20)
    return this.#all
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#client.endAsync(true)
  }
}
