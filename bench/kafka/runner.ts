import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'

import { z } from 'zod'

import { figuresSchema, RoundProcess } from '../process.ts'
import type { Figures, Place, Row, SideName } from './side.ts'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))

const schema = figuresSchema.extend({ p50Ms: z.number(), p99Ms: z.number() }) satisfies z.ZodType<Figures>

type Load = Pick<Row, 'messages' | 'bytes'>

/** One side of a row in a process of its own. */
export class Runner implements AsyncDisposable {
  readonly #process: RoundProcess

  private constructor(process: RoundProcess) {
    this.#process = process
  }

  /** Starts it. A text says why it is left out. */
  static async start(
    side: SideName,
    direction: Row['direction'],
    place: Place,
    nodeOptions: readonly string[],
  ): Promise<Runner | string> {
    const args = [side, direction, JSON.stringify(place)]
    const process = await RoundProcess.start(CHILD, args, nodeOptions)
    if (process.first === 'ready') return new Runner(process)
    await process[Symbol.asyncDispose]()
    return String(process.first)
  }

  /** Produces so many messages. */
  async produce(topic: string, { messages, bytes }: Load): Promise<Figures> {
    this.#process.go(`${topic} ${messages} ${bytes}`)
    return schema.parse(await this.#process.next())
  }

  /** Reads what lies in a topic. */
  async consume(topic: string, messages: number): Promise<Figures> {
    this.#process.go(`${topic} ${messages} ${this.#group(topic)}`)
    await this.#process.next()
    return schema.parse(await this.#process.next())
  }

  /** Reads an empty topic while `feeder` produces a little to it: the figures tell how long a message is on its way. */
  async listen(topic: string, feeder: Runner, { messages, bytes }: Load): Promise<Figures> {
    this.#process.go(`${topic} ${messages} ${this.#group(topic)} pace`)
    await this.#process.next()
    feeder.#process.go(`${topic} ${messages} ${bytes} pace`)
    return schema.parse(await this.#process.next())
  }

  /** Ends its process. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }

  /** A group that nobody was in before. */
  #group(topic: string): string {
    return `${topic}-${randomUUID()}`
  }
}
