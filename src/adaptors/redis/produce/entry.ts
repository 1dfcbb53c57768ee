import type { Message } from '../../../contract/index.ts'
import type { CommandWriter } from '../session/command.ts'

/** How messages become entries. */
export interface EntryOptions {
  /** About how many entries a stream keeps; `undefined`: all. */
  readonly maxStreamLength?: number | undefined
  /** Field of the payload. */
  readonly payloadField: string
  /** Field of the id, or empty. */
  readonly idField: string
  /** Field of the key, or empty. */
  readonly keyField: string
  /** Field of the headers, or empty. */
  readonly headersField: string
}

/** How many streams' beginnings are kept: a program has few, and one that makes up names must not fill the memory. */
const MAX_STREAMS = 1000

/**
 * Writes messages as commands: `XADD stream [MAXLEN ~ n] * metadata (payload) id (id) [key (key)] [headers (JSON)]`. The payload's field
 * stands first, where DeepStream's consumers look for it. What is the same for all messages of a stream is made once.
 */
export class EntryEncoder {
  readonly #options: EntryOptions
  readonly #beginnings = new Map<string, string>()
  readonly #idField: string
  readonly #keyField: string
  readonly #headersField: string

  constructor(options: EntryOptions) {
    this.#options = options
    this.#idField = fieldOf(options.idField)
    this.#keyField = fieldOf(options.keyField)
    this.#headersField = fieldOf(options.headersField)
  }

  /** Whether a message to this stream was written lately, so that its name is known to be good. */
  knows(topic: string): boolean {
    return this.#beginnings.has(topic)
  }

  /** Writes the command of one message. */
  write(writer: CommandWriter, { id, topic, payload, key, headers }: Message): void {
    const hasKey = key !== undefined && this.#keyField !== ''
    const hasHeaders = headers !== undefined && this.#headersField !== ''
    const fields = 1 + Number(this.#idField !== '') + Number(hasKey) + Number(hasHeaders)
    const words = (this.#options.maxStreamLength === undefined ? 3 : 6) + 2 * fields
    writer.text(`*${words}${this.#beginning(topic)}${payload.length}\r\n`)
    writer.bytes(payload)
    let tail = '\r\n'
    if (this.#idField !== '') tail += this.#idField + argument(id)
    if (hasKey) tail += this.#keyField + argument(key)
    if (hasHeaders) tail += this.#headersField + argument(JSON.stringify(headers))
    writer.text(tail)
  }

  /** From behind the number of words to before the payload's length. */
  #beginning(topic: string): string {
    const known = this.#beginnings.get(topic)
    if (known !== undefined) return known
    const { maxStreamLength, payloadField } = this.#options
    const trimming = maxStreamLength === undefined ? [] : ['MAXLEN', '~', String(maxStreamLength)]
    const words = ['XADD', topic, ...trimming, '*', payloadField]
    const made = `\r\n${words.map(argument).join('')}$`
    if (this.#beginnings.size >= MAX_STREAMS) this.#beginnings.clear()
    this.#beginnings.set(topic, made)
    return made
  }
}

function fieldOf(name: string): string {
  return name === '' ? '' : argument(name)
}

function argument(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}
