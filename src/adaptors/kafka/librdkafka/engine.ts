import type { BackhaulError, Clock, Peer, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { hostAndPort } from '../../shared/socket.ts'
import type { Reader, ReaderWatcher } from '../consume/reader.ts'
import type { Engine } from '../engine.ts'
import { late, linkLost } from '../errors.ts'
import type { KafkaOptions } from '../options.ts'
import type { ClusterSetup } from '../session/cluster.ts'
import { Cluster } from '../session/cluster.ts'
import type { Binding, NativeConsumer } from './binding.ts'
import { connectClient, watchClient } from './client.ts'
import type { Configuration } from './configuration.ts'
import {
  checkTls,
  commonConfiguration,
  consumerConfiguration,
  producerConfiguration,
} from './configuration.ts'
import { withFiles } from './files.ts'
import { FreeNativeReader } from './free-reader.ts'
import { GroupNativeReader } from './group-reader.ts'
import type { LaneMaker } from './lane.ts'
import { Lane } from './lane.ts'
import { NativePublisher } from './publisher.ts'

/*
 * The driver librdkafka. A dial begins with a short connection of our own session, with the same settings: librdkafka only says that a
 * broker cannot be reached, and this one finds out why. Then one producer is connected, and later one consumer for each subscription.
 */

/** How long one question may hold a thread of the pool, in milliseconds: a broker that is silent for longer is asked again. */
const ASK_MS = 2000
const MOST_ASK_MS = 5000
/** How long a client may take to connect at least, in milliseconds: our own session has just shown that the broker is there. */
const LEAST_CONNECT_MS = 3000
/** More topics than this are asked for in one question about all of them. */
const MOST_QUESTIONS = 10

/** The driver librdkafka. */
export class NativeEngine implements Engine {
  /** See {@link Engine.options}. */
  readonly options: KafkaOptions
  /** See {@link Engine.clock}. */
  readonly clock: Clock
  /** See {@link Engine.publisher}. */
  readonly publisher: NativePublisher
  /** The broker in words. */
  readonly address: string
  readonly #setup: ClusterSetup
  readonly #binding: Binding
  readonly #onLost: (error: BackhaulError) => void
  readonly #abort = new AbortController()
  readonly #clients = new Set<Promise<void>>()
  readonly #ended = deferred()
  readonly #connecting = new Map<NativeConsumer, Promise<void>>()
  #peer: Peer | undefined
  /** How long a client of librdkafka may hold a thread to connect, by what our own session took. */
  #connectMs = LEAST_CONNECT_MS
  #isAsking = false
  #heardMs: number

  /** @param onLost - called when the link must end */
  constructor(setup: ClusterSetup, binding: Binding, onLost: (error: BackhaulError) => void) {
    const { options, clock } = setup
    this.#setup = setup
    this.options = options
    this.clock = clock
    this.#binding = binding
    const [first] = options.hosts
    this.address = first === undefined ? '' : hostAndPort(first.host, first.port)
    this.#heardMs = clock.monotonic()
    this.#onLost = (error) => {
      this.#failure ??= error
      this.#gaveUp.reject(error)
      onLost(error)
    }
    this.publisher = new NativePublisher(
      this,
      this.#lanes,
      async (topic) => (await this.describe([topic]))[0] ?? { code: 3, partitions: 0 },
      this.#onLost,
    )
    this.#gaveUp.promise.catch(() => undefined)
  }

  #failure: BackhaulError | undefined
  readonly #gaveUp = deferred<never>()

  /** See {@link Engine.peer}. */
  get peer(): Peer {
    return this.#peer ?? { protocol: 'Kafka', address: this.address, tls: undefined }
  }

  /** See {@link Engine.ended}. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Aborted when the link has ended. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** See {@link Engine.dial}. */
  async dial(signal: AbortSignal): Promise<void> {
    const { tls } = this.#setup
    if (tls !== undefined) checkTls(tls, this.options)
    await this.#introduce(signal)
    const onAbort = () => this.#gaveUp.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.publisher.open(), this.#gaveUp.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    this.#heardMs = this.clock.monotonic()
  }

  /** See {@link Engine.reader}. */
  reader(topics: readonly string[], options: SubscribeOptions, watcher: ReaderWatcher): Reader {
    return options.group === undefined
      ? new FreeNativeReader(this, topics, options, watcher)
      : new GroupNativeReader(this, options.group, topics, options, watcher)
  }

  /** See {@link Engine.look}. Asks something now and then, so that a hung broker is noticed. */
  look(now: number): void {
    this.publisher.look(now)
    const { keepAliveMs, requestTimeoutMs } = this.options
    const { main } = this.publisher
    if (this.#isAsking || main === undefined || now - this.#heardMs < keepAliveMs) return
    this.#isAsking = true
    const askedMs = now
    const ask = async (): Promise<void> => {
      const answer = await main.metadata(undefined, Math.min(ASK_MS, requestTimeoutMs))
      if (answer !== undefined) this.#heardMs = this.clock.monotonic()
      else if (this.clock.monotonic() - askedMs >= requestTimeoutMs)
        this.#onLost(late(this.address, 'answer', requestTimeoutMs))
      else await ask()
    }
    ask()
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false
      })
  }

  /** See {@link Engine.end}. */
  end(reason: BackhaulError): void {
    this.#abort.abort()
    this.#gaveUp.reject(reason)
    const close = async () => {
      await this.publisher.end(reason)
      await Promise.allSettled(this.#clients)
    }
    close().then(this.#ended.resolve, this.#ended.resolve)
  }

  /** Makes a consumer and connects it; `configure` may change its properties. Whoever asks for it closes it by {@link drop}. */
  async consumer(
    group: string | undefined,
    configure: (configuration: Configuration) => void,
  ): Promise<NativeConsumer> {
    const { signal } = this.#abort
    return withFiles(async (files) => {
      const common = await commonConfiguration(this.#configurationSetup, files)
      const configuration = consumerConfiguration(common, this.options, group)
      configure(configuration)
      const consumer = made(() => new this.#binding.KafkaConsumer(configuration))
      watchClient(consumer, this.address, this.options, {
        lost: this.#onLost,
        fatal: (text) => this.#onLost(fatalReader(group, text)),
      })
      const { connected, over } = connectClient(consumer, this.address, this.#connectMs, signal)
      this.#connecting.set(consumer, over)
      try {
        await connected
      } catch (error) {
        void this.drop(consumer)
        throw error
      }
      consumer.setDefaultConsumeTimeout(0)
      return consumer
    })
  }

  /**
   * Closes a consumer.
   *
   * @param settled - when it may be closed
   */
  drop(consumer: NativeConsumer, settled?: Promise<void>): Promise<void> {
    const close = async () => {
      await this.#connecting.get(consumer)
      await settled
      this.#connecting.delete(consumer)
      await new Promise<void>((resolve) => consumer.disconnect(() => resolve()))
    }
    const closed = close()
    this.#clients.add(closed)
    void closed.then(() => this.#clients.delete(closed))
    return closed
  }

  /** Has a consumer learn who leads the partitions of topics. */
  async learn(consumer: NativeConsumer, topics: readonly { readonly name: string }[]): Promise<void> {
    const timeout = Math.min(ASK_MS, this.options.requestTimeoutMs)
    const questions =
      topics.length > MOST_QUESTIONS
        ? [{ allTopics: true, timeout }]
        : topics.map(({ name }) => ({ topic: name, allTopics: false, timeout }))
    for (const question of questions) {
      // where it fails, it is found out later
      await new Promise<void>((resolve) => consumer.getMetadata(question, () => resolve()))
    }
  }

  /** Asks about topics by their names: their errors and how many partitions they have. */
  describe(topics: readonly string[]): Promise<{ name: string; code: number; partitions: number }[]> {
    const { main } = this.publisher
    if (main === undefined) return Promise.reject(linkLost(this.address))
    const admin = this.#binding.AdminClient.createFrom(main.client)
    return new Promise((resolve, reject) => {
      admin.describeTopics(topics, { timeout: this.#askMs }, (error, found) => {
        if (error) reject(this.#failure ?? late(this.address, 'answer', this.options.requestTimeoutMs))
        else {
          resolve(
            found.map(({ name, error, partitions }) => ({
              name,
              code: error?.code ?? 0,
              partitions: partitions.length,
            })),
          )
        }
      })
    })
  }

  /** All topics that we may see. */
  async allTopics(): Promise<{ name: string; partitions: number }[]> {
    const { main } = this.publisher
    const found = await main?.allTopics(this.#askMs)
    if (found === undefined)
      throw this.#failure ?? late(this.address, 'answer', this.options.requestTimeoutMs)
    return found.topics.map(({ name, partitions }) => ({ name, partitions: partitions.length }))
  }

  /** How long a question may hold a thread, in milliseconds. */
  get #askMs(): number {
    return Math.min(MOST_ASK_MS, this.options.requestTimeoutMs)
  }

  get #configurationSetup() {
    const { options, tls, auth } = this.#setup
    return { options, tls, auth, onTokenEnded: () => this.#onLost(tokenEnded(this.address)) }
  }

  readonly #lanes: LaneMaker = {
    make: async (careful, watcher) =>
      withFiles(async (files) => {
        const common = await commonConfiguration(this.#configurationSetup, files)
        const configuration = producerConfiguration(common, this.options)
        if (careful)
          Object.assign(configuration, { 'batch.num.messages': 1, 'enable.gapless.guarantee': false })
        const { address, options } = this
        const lane = made(
          () => new Lane({ binding: this.#binding, configuration, options, address }, watcher),
        )
        try {
          await lane.connect(this.#connectMs, this.#abort.signal)
        } catch (error) {
          this.#clients.add(lane.close())
          throw error
        }
        return lane
      }),
  }

  /** Shows itself with our own session, which knows why it fails. */
  async #introduce(signal: AbortSignal): Promise<void> {
    const cluster = new Cluster(this.#setup, () => undefined)
    const beganMs = this.clock.monotonic()
    try {
      await cluster.dial(signal)
      const tookMs = this.clock.monotonic() - beganMs
      const { connectTimeoutMs } = this.options
      this.#connectMs = Math.ceil(Math.min(connectTimeoutMs, Math.max(LEAST_CONNECT_MS, tookMs * 4)))
      const { address, tls } = cluster.first
      this.#peer = { protocol: 'Kafka', address, tls }
    } finally {
      cluster.close(linkLost(this.address))
    }
  }
}

/** What the binding throws at a property, without its value, which may be a secret. */
function made<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : ''
    const name = /property:? "([a-z._]+)"|^([a-z]+(?:\.[a-z]+)+)/i.exec(text)
    const which = name?.[1] ?? name?.[2]
    throw new Failure(
      'INVALID_OPTIONS',
      `Cannot use the driver librdkafka: ${which === undefined ? 'a property' : `the property "${which}"`} has a value that it does not take, mend it`,
    )
  }
}

function tokenEnded(address: string): BackhaulError {
  return new Failure(
    'LINK_LOST',
    `Cannot stay at ${address}: the token is about to end, the link is dialled again with a new one`,
  )
}

function fatalReader(group: string | undefined, text: string): BackhaulError {
  const fenced = /fenced/i.test(text)
  return new Failure(
    fenced ? 'REFUSED' : 'LINK_LOST',
    fenced
      ? `Cannot read in the group "${group ?? ''}": another member has the same groupInstanceId, give each member its own`
      : `Cannot read on: ${text}, the link is dialled again`,
    undefined,
    { brokerReason: fenced ? 'FENCED_INSTANCE_ID' : text },
  )
}
