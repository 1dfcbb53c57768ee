import { EventEmitter, once } from 'node:events'
import type { TestContext } from 'node:test'

import type { Agent, AgentOptions } from '../../src/agent/index.ts'
import { createAgent } from '../../src/agent/index.ts'
import type { Client } from '../../src/client/index.ts'
import { connect } from '../../src/client/index.ts'
import type { Reply } from '../../src/codec/index.ts'
import { decodeReply } from '../../src/codec/index.ts'
import type { Config } from '../../src/config/index.ts'
import { configSchema } from '../../src/config/model.ts'
import type { Delivery, Logger } from '../../src/contract/index.ts'

/** A line that the agent logged. */
export interface LogLine {
  readonly level: keyof Logger
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A log that a test can wait for. */
export class LogBook implements Logger {
  readonly lines: LogLine[] = []
  readonly #events = new EventEmitter()

  /** Waits for a line, one that is there already included. */
  async line(matches: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.lines.find(matches)
      if (found !== undefined) return found
      await once(this.#events, 'line', { signal: AbortSignal.timeout(20_000) })
    }
  }

  // methods, as pino's own are: whoever takes one off its logger finds out
  debug(fields: LogLine['fields'], text: string): void {
    this.#write({ level: 'debug', fields, text })
  }

  info(fields: LogLine['fields'], text: string): void {
    this.#write({ level: 'info', fields, text })
  }

  warn(fields: LogLine['fields'], text: string): void {
    this.#write({ level: 'warn', fields, text })
  }

  error(fields: LogLine['fields'], text: string): void {
    this.#write({ level: 'error', fields, text })
  }

  #write(line: LogLine): void {
    this.lines.push(line)
    this.#events.emit('line')
  }
}

/** A configuration with defaults filled in. */
export function configOf(parts: Record<string, unknown>): Config {
  return configSchema.parse({ version: 1, device: { id: 'edge-1' }, ...parts })
}

/** Starts an agent; it is stopped when the test ends, if not before. */
export async function startAgent(
  t: TestContext,
  parts: Record<string, unknown>,
  options: Partial<AgentOptions> = {},
): Promise<{ agent: Agent; log: LogBook }> {
  const log = new LogBook()
  const agent = createAgent(configOf(parts), { logger: log, ...options })
  t.after(() => agent.stop({ drainTimeoutMs: 100 }))
  await agent.start()
  return { agent, log }
}

/** The cloud's side of a broker: collects what arrives on topics, and sends. */
export class Cloud implements AsyncDisposable {
  readonly client: Client
  readonly received: Delivery[] = []
  readonly #events = new EventEmitter()

  private constructor(client: Client) {
    this.client = client
  }

  /** Connects and subscribes. */
  static async at(url: string, ...topics: string[]): Promise<Cloud> {
    const cloud = new Cloud(await connect(url))
    await cloud.client.subscribe(topics, (delivery) => {
      cloud.received.push(delivery)
      cloud.#events.emit('delivery')
    })
    return cloud
  }

  /** Waits until so many messages came, and gives them. */
  async messages(count: number): Promise<Delivery[]> {
    while (this.received.length < count) {
      await once(this.#events, 'delivery', { signal: AbortSignal.timeout(20_000) })
    }
    return this.received.slice(0, count)
  }

  /** Waits for a message. */
  async message(matches: (delivery: Delivery) => boolean): Promise<Delivery> {
    for (;;) {
      const found = this.received.find(matches)
      if (found !== undefined) return found
      await once(this.#events, 'delivery', { signal: AbortSignal.timeout(20_000) })
    }
  }

  /** As `messages()`, decoded as replies. */
  async replies(count: number): Promise<Reply[]> {
    return (await this.messages(count)).map((delivery) => decodeReply(delivery.payload))
  }

  /** Sends one message. */
  async send(topic: string, payload: Uint8Array | string): Promise<void> {
    await this.client.send({ topic, payload })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
  }
}

/** A detection as a line. */
export function detectionLine(sensorId: string, frame: number): string {
  return JSON.stringify({
    timestamp: '2026-01-02T03:04:05.678Z',
    sensorId,
    frame,
    objects: [
      { trackingId: '1', type: 'person', confidence: 0.5, box: { left: 1, top: 2, width: 3, height: 4 } },
    ],
  })
}

/** Chunks as a stream, such as stdin. */
export async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
