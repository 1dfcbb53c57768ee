import type {
  Adaptor,
  Capabilities,
  Deliveries,
  Delivery,
  DialRequest,
  Link,
  Message,
  Outcome,
  Settle,
  SubscribeOptions,
} from '../../src/contract/index.ts'
import { BackhaulError, DELIVERED } from '../../src/contract/index.ts'
import type { ConnectionOptions } from '../../src/connection/index.ts'
import { Connection } from '../../src/connection/index.ts'
import type { Deferred } from '../../src/kit/deferred.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { Ring } from '../../src/kit/ring.ts'
import { ManualClock } from '../support/manual-clock.ts'

const capabilities: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: true,
  patterns: false,
  groups: true,
  durableSubscriptions: true,
  redelivers: true,
  parallelLinks: true,
  maxPayloadBytes: 1024,
  maxBatchBytes: 4096,
  maxInFlight: 10,
}

/** An adaptor whose every step the test takes: it accepts, refuses, loses and delivers only when told. */
export class ScriptedAdaptor implements Adaptor<string> {
  readonly protocol = 'scripted'
  readonly schemes = { scripted: 'process' } as const
  readonly capabilities: Capabilities
  readonly dials: ScriptedDial[] = []
  /** Where set, each dial is answered at once: a link for `undefined`. */
  answer: (() => BackhaulError | undefined) | undefined

  constructor(narrowed: Partial<Capabilities> = {}) {
    this.capabilities = { ...capabilities, ...narrowed }
  }

  options(): string {
    return 'options'
  }

  signature(options: string): string {
    return options
  }

  checkTopic(topic: string): void {
    if (topic === '')
      throw new BackhaulError('INVALID_TOPIC', 'Cannot use the topic "": it is empty, name one')
  }

  dial(request: DialRequest<string>, signal: AbortSignal): Promise<Link> {
    const dial = new ScriptedDial(request, signal, this.capabilities)
    this.dials.push(dial)
    if (this.answer !== undefined) {
      const error = this.answer()
      if (error === undefined) dial.accept()
      else dial.fail(error)
    }
    return dial.promise
  }

  /** The dial that came last. */
  get last(): ScriptedDial {
    const dial = this.dials.at(-1)
    if (dial === undefined) throw new Error('nobody dialled')
    return dial
  }

  /** The link of the last dial. */
  get link(): ScriptedLink {
    if (this.last.link === undefined) throw new Error('the last dial was not accepted')
    return this.last.link
  }
}

/** One dial under way. */
export class ScriptedDial {
  readonly request: DialRequest<string>
  readonly signal: AbortSignal
  link: ScriptedLink | undefined
  /** Whether it waits for its answer. */
  open = true
  readonly #capabilities: Capabilities
  readonly #end: Deferred<Link> = deferred<Link>()

  constructor(request: DialRequest<string>, signal: AbortSignal, capabilities: Capabilities) {
    this.request = request
    this.signal = signal
    this.#capabilities = capabilities
    signal.addEventListener('abort', () => this.fail(new BackhaulError('ABORTED', 'Cannot dial: given up')))
  }

  get promise(): Promise<Link> {
    return this.#end.promise
  }

  accept(): ScriptedLink {
    this.link = new ScriptedLink(this.#capabilities)
    this.open = false
    this.#end.resolve(this.link)
    return this.link
  }

  fail(error: unknown): void {
    this.open = false
    this.#end.reject(error)
  }
}

/** A link that does nothing by itself; `grants` subscriptions at once unless told otherwise. */
export class ScriptedLink implements Link {
  readonly capabilities: Capabilities
  readonly peer = { protocol: 'scripted', address: 'nowhere', tls: undefined }
  readonly asked: ScriptedStream[] = []
  readonly published: string[] = []
  grants = true
  closes = 0
  /** What close() waits for. */
  closing: Promise<void> = Promise.resolve()
  readonly #lost = deferred<BackhaulError>()

  constructor(capabilities: Capabilities) {
    this.capabilities = capabilities
  }

  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  publish(batch: readonly Message[], settle: Settle): void {
    for (const [index, message] of batch.entries()) {
      this.published.push(message.topic)
      settle(index, DELIVERED satisfies Outcome)
    }
  }

  subscribe(topics: readonly string[], options: SubscribeOptions, signal: AbortSignal): Promise<Deliveries> {
    const stream = new ScriptedStream(topics, options, signal)
    this.asked.push(stream)
    if (this.grants) stream.grant()
    return stream.granted.promise
  }

  /** The stream of the last subscription that was asked for. */
  get stream(): ScriptedStream {
    const stream = this.asked.at(-1)
    if (stream === undefined) throw new Error('nobody subscribed')
    return stream
  }

  lose(error = new BackhaulError('LINK_LOST', 'Cannot go on: the link was cut')): void {
    this.#lost.resolve(error)
    for (const stream of this.asked) {
      stream.refuse(error)
      stream.end()
    }
  }

  async close(): Promise<void> {
    this.closes += 1
    await this.closing
    this.lose(new BackhaulError('CLOSED', 'Cannot go on: the link was closed'))
  }
}

/** One subscription at the scripted broker. */
export class ScriptedStream implements Deliveries {
  readonly topics: readonly string[]
  readonly options: SubscribeOptions
  readonly signal: AbortSignal
  readonly granted = deferred<Deliveries>()
  returned = 0
  /** How often `next()` was called. */
  reads = 0
  readonly #waiting = new Ring<Deferred<IteratorResult<Delivery>>>()
  readonly #unread = new Ring<ScriptedDelivery>()
  #ended = false

  constructor(topics: readonly string[], options: SubscribeOptions, signal: AbortSignal) {
    this.topics = topics
    this.options = options
    this.signal = signal
    signal.addEventListener('abort', () => {
      this.granted.reject(new BackhaulError('ABORTED', 'Cannot subscribe: given up'))
      this.end()
    })
  }

  grant(): void {
    this.granted.resolve(this)
  }

  refuse(error: BackhaulError): void {
    this.granted.reject(error)
  }

  /** Delivers a message; what becomes of it is noted in the result. */
  deliver(id: string | undefined, topic = this.topics[0] ?? ''): ScriptedDelivery {
    const delivery = new ScriptedDelivery(id, topic)
    const reader = this.#waiting.shift()
    if (reader === undefined) this.#unread.push(delivery)
    else reader.resolve({ value: delivery, done: false })
    return delivery
  }

  end(): void {
    this.#ended = true
    for (let reader = this.#waiting.shift(); reader !== undefined; reader = this.#waiting.shift()) {
      reader.resolve({ value: undefined, done: true })
    }
  }

  next(): Promise<IteratorResult<Delivery>> {
    this.reads += 1
    const value = this.#unread.shift()
    if (value !== undefined) return Promise.resolve({ value, done: false })
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    const reader = deferred<IteratorResult<Delivery>>()
    this.#waiting.push(reader)
    return reader.promise
  }

  return(): Promise<IteratorResult<Delivery>> {
    this.returned += 1
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** A delivery of the scripted broker. */
export class ScriptedDelivery implements Delivery {
  readonly topic: string
  readonly payload = new Uint8Array()
  readonly key = undefined
  readonly headers = undefined
  readonly id: string | undefined
  readonly position = undefined
  readonly redelivered = false
  readonly retained = false
  /** What the broker was told, word by word. */
  readonly words: string[] = []

  constructor(id: string | undefined, topic: string) {
    this.id = id
    this.topic = topic
  }

  ack(): void {
    this.words.push('ack')
  }

  nack(delayMs = 0): void {
    this.words.push(`nack ${delayMs}`)
  }
}

/** Lets everything happen that can happen without time passing. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A connection over a scripted adaptor on a manual clock, with dice that always show the most. */
export function scripted(
  options: Partial<ConnectionOptions<string>> & { readonly narrowed?: Partial<Capabilities> } = {},
): { adaptor: ScriptedAdaptor; clock: ManualClock; connection: Connection<string>; states: string[] } {
  const { narrowed, ...rest } = options
  const adaptor = new ScriptedAdaptor(narrowed)
  const clock = new ManualClock()
  const connection = new Connection<string>({
    adaptor,
    options: 'options',
    credentials: () => Promise.resolve({ tls: undefined, auth: undefined }),
    clock,
    random: () => 1,
    ...rest,
  })
  const states: string[] = []
  connection.onStatus(({ state }) => states.push(state))
  return { adaptor, clock, connection, states }
}

/** As `scripted()`, with its first link up. */
export async function linked(options: Parameters<typeof scripted>[0] = {}) {
  const parts = scripted(options)
  parts.connection.open()
  await settled()
  parts.adaptor.last.accept()
  await settled()
  return parts
}
