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
    settings: { max_inflight_messages: 1000, max_queued_messages: 0 },
  })
  const port = broker.port('plain')
  const proxy = await startProxy({ host: '127.0.0.1', port })
  const inbox = await Inbox.open(port)
  const words = ['-V', '5', '-h', '127.0.0.1', '-p', String(proxy.port), '-q', '1', '-t', 'probe', '-s']
  const dispose = async () => {
    await inbox.close()
    await proxy.close()
    await broker.stop()
  }
  return {
    url: `mqtt://127.0.0.1:${proxy.port}`,
    options: { options: quick ? { keepAliveSeconds: 1 } : {} },
    topic: (label) => Promise.resolve(`outage/${label}`),
    ...faultsOf(broker, proxy),
    answers: () => untilItWorks('mosquitto_pub', words, 'x'),
    arrivals: (topic, count) => inbox.arrivals(topic, count),
    [Symbol.asyncDispose]: dispose,
  }
}

/** What came to each topic. */
class Inbox {
  readonly #client: MqttClient
  readonly #topics = new Map<string, { readonly all: Arrival[]; readonly ids: Set<string> }>()

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('message', (topic, payload, { properties }) => {
      const id = String(properties?.userProperties?.[ID_NAME])
      const { all, ids } = this.#of(topic)
      ids.add(id)
      all.push({ text: payload.toString(), id, atMs: Date.now() })
    })
  }

  static async open(port: number): Promise<Inbox> {
    const client = await connectAsync({
      host: '127.0.0.1',
      port,
      protocolVersion: 5,
      clientId: 'oracle',
      clean: false,
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 1000 },
      reconnectPeriod: 100,
      keepalive: 5,
    })
    // it comes back by itself
    client.on('error', () => undefined)
    const inbox = new Inbox(client)
    await client.subscribeAsync('outage/#', { qos: 1 })
    return inbox
  }

  async arrivals(topic: string, count: number): Promise<readonly Arrival[]> {
    const { all, ids } = this.#of(topic)
    const deadline = performance.now() + ARRIVAL_MS
    while (ids.size < count && performance.now() < deadline) await sleep(20)
    return all
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true)
  }

  #of(topic: string): { readonly all: Arrival[]; readonly ids: Set<string> } {
    let found = this.#topics.get(topic)
    if (found === undefined) {
      found = { all: [], ids: new Set() }
      this.#topics.set(topic, found)
    }
    return found
  }
}
