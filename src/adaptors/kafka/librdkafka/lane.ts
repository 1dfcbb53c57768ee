import type { BackhaulError, Message } from '../../../contract/index.ts'
import { linkLost } from '../errors.ts'
import type { KafkaOptions } from '../options.ts'
import type { Sent } from '../produce/in-hand.ts'
import { ID_HEADER } from '../produce/record-batch.ts'
import type {
  Binding,
  DeliveryReport,
  MetadataQuestion,
  NativeError,
  NativeMetadata,
  NativeProducer,
} from './binding.ts'
import { connectClient, watchClient } from './client.ts'
import type { Configuration } from './configuration.ts'
import { LOCAL } from './native-errors.ts'

/*
 * One producer of librdkafka: fresh, connected, fatal (it takes nothing any more, and hands back what it holds) or closed.
 */

/** A message on its way through a lane. */
export type Handed = Sent<undefined>

/** What a lane tells. */
export interface LaneWatcher {
  /** What became of a message; no error: it was delivered. */
  report(lane: Lane, sent: Handed, error: NativeError | undefined): void
  /** It takes nothing any more, and hands back what it holds. `isGap`: because something refused left a gap. */
  fatal(lane: Lane, isGap: boolean, text: string): void
  /** The link must end. */
  lost(error: BackhaulError): void
}

/** How lanes are made. */
export interface LaneMaker {
  /** Makes a lane and connects it. `careful`: one message a batch. */
  make(careful: boolean, watcher: LaneWatcher): Promise<Lane>
}

/** What a lane is made of. */
export interface LaneSetup {
  /** The package. */
  readonly binding: Binding
  /** Its properties. */
  readonly configuration: Configuration
  /** Options of the link. */
  readonly options: KafkaOptions
  /** The broker in words. */
  readonly address: string
}

/** One producer of librdkafka. */
export class Lane {
  /** How many messages have no report. */
  outstanding = 0
  /** Whether it takes nothing any more. */
  isFatal = false
  /** Whether that is because its identity may write to no topic. */
  isForbidden = false
  readonly #setup: LaneSetup
  readonly #producer: NativeProducer
  #connecting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined
  #isAbandoned = false

  /** @throws the binding's error where a property is not valid */
  constructor(setup: LaneSetup, watcher: LaneWatcher) {
    const { binding, configuration, address, options } = setup
    this.#setup = setup
    this.#producer = new binding.Producer(configuration)
    watchClient(this.#producer, address, options, {
      lost: (error) => watcher.lost(error),
      fatal: (text) => {
        this.isFatal = true
        this.isForbidden ||= /cluster authorization/i.test(text)
        watcher.fatal(this, /gap-?less/i.test(text), text)
      },
    })
    this.#producer.on('delivery-report', (error: NativeError | null, { opaque }: DeliveryReport<Handed>) => {
      if (this.#isAbandoned) return
      this.outstanding -= 1
      watcher.report(this, opaque, error ?? undefined)
    })
  }

  /** Connects. */
  async connect(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const connecting = connectClient(this.#producer, this.#setup.address, timeoutMs, signal)
    this.#connecting = connecting.over
    await connecting.connected
    this.#producer.setPollInBackground(true)
  }

  /** Hands a message over. Gives "full" where it takes nothing now, or an error that is known without asking the broker. */
  produce(sent: Handed, partition: number | undefined): 'taken' | 'full' | NativeError {
    const { message } = sent
    try {
      const key = message.key ?? null
      const headers = headersOf(message)
      this.#producer.produce(message.topic, partition ?? null, message.payload, key, null, sent, headers)
      this.outstanding += 1
      return 'taken'
    } catch (error) {
      if (!isNativeError(error)) throw error
      if (error.code === LOCAL.queueFull) return 'full'
      if (error.code !== LOCAL.fatal) return error
      this.isFatal = true
      return 'full'
    }
  }

  /** Asks about a topic, or only whether the broker answers; `undefined` where it does not. */
  metadata(topic: string | undefined, timeout: number): Promise<NativeMetadata | undefined> {
    return this.#ask({ allTopics: false, timeout, ...(topic !== undefined && { topic }) })
  }

  /** Asks about all topics. */
  allTopics(timeout: number): Promise<NativeMetadata | undefined> {
    return this.#ask({ allTopics: true, timeout })
  }

  #ask(question: MetadataQuestion): Promise<NativeMetadata | undefined> {
    if (this.#closing !== undefined) return Promise.reject(linkLost(this.#setup.address))
    return new Promise((resolve) => {
      this.#producer.getMetadata(question, (error, metadata) => resolve(error ? undefined : metadata))
    })
  }

  /** The producer itself, for questions over its connections. */
  get client(): NativeProducer {
    return this.#producer
  }

  /** Nobody waits for its reports any more. */
  abandon(): void {
    this.#isAbandoned = true
    this.outstanding = 0
  }

  /** Ends it; what has no report gets none. */
  close(): Promise<void> {
    this.#closing ??= this.#connecting.then(
      () =>
        new Promise((resolve) => {
          try {
            this.#producer.disconnect(0, () => resolve())
          } catch {
            // it never was connected
            resolve()
          }
        }),
    )
    return this.#closing
  }
}

/** The id first, as with the other driver. */
function headersOf({ id, headers }: Message): Record<string, string>[] {
  const all: Record<string, string>[] = [{ [ID_HEADER]: id }]
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) all.push({ [name]: value })
  }
  return all
}

function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}
