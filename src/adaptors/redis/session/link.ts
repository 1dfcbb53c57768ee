import type {
  BackhaulError,
  Capabilities,
  Deliveries,
  Link,
  Message,
  Peer,
  Settle,
  SubscribeOptions,
  Timer,
} from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { failAll } from '../../shared/fail-all.ts'
import { FreeReader } from '../consume/free-reader.ts'
import { GroupReader } from '../consume/group-reader.ts'
import type { Reader, ReaderContext } from '../consume/reader.ts'
import { Readers } from '../../shared/readers.ts'
import { aborted, closed, linkLost } from '../errors.ts'
import type { RedisOptions } from '../options.ts'
import { Publisher } from '../produce/publisher.ts'
import { checkStreamName } from '../topic.ts'
import type { RedisConnection } from './connection.ts'
import type { Introduced, LinkSetup } from './dial.ts'
import { dialFirst, dialPlace } from './dial.ts'

/*
 * A link joins its parts: one connection for everything that is answered at once, and one for the waiting reads of each subscription. It
 * is open, closing (what was published is still settled, and finished acknowledgements are written) or ended. There is one way to
 * end, `#end(error)`.
 */

/** How long `close()` waits for the broker, in milliseconds. */
const CLOSE_MS = 4500

/** What Redis Streams can do at best. */
export const REDIS_CAPABILITIES: Capabilities = {
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
  maxPayloadBytes: 536_870_912,
  maxBatchBytes: 262_144,
  maxInFlight: 1000,
}

/** Dials the broker. */
export async function openLink(setup: LinkSetup, signal: AbortSignal): Promise<RedisLink> {
  return new RedisLink(setup, await dialFirst(setup, signal))
}

/** A link to a Redis server. */
export class RedisLink implements Link {
  /** As far as the options hold them. */
  readonly capabilities: Capabilities
  /** Server, address and TLS session. */
  readonly peer: Peer
  readonly #setup: LinkSetup
  readonly #introduced: Introduced
  readonly #main: RedisConnection
  readonly #publisher: Publisher
  readonly #readers = new Readers<Reader>()
  readonly #lost = deferred<BackhaulError>()
  #watch: Timer | undefined
  #closing: Promise<void> | undefined
  #ended: BackhaulError | undefined

  /** @param introduced - the accepted connection; the link closes it */
  constructor(setup: LinkSetup, introduced: Introduced) {
    const { connection, server } = introduced
    const onLost = (error: BackhaulError) => this.#end(error)
    this.#setup = setup
    this.#introduced = introduced
    this.#main = connection
    connection.onEnd = onLost
    this.#publisher = new Publisher(connection, setup.clock, setup.options, onLost)
    this.capabilities = capabilitiesOf(setup.options)
    this.peer = { protocol: server, address: connection.address, tls: connection.tls }
    // it may have ended before anybody listened
    if (connection.ended !== undefined) this.#end(connection.ended)
    this.#look()
  }

  /** See {@link Link.lost}. */
  get lost(): Promise<BackhaulError> {
    return this.#lost.promise
  }

  /** See {@link Link.publish}. */
  publish(batch: readonly Message[], settle: Settle, signal: AbortSignal): void {
    if (batch.length === 0) return
    const error = this.#unusable() ?? (signal.aborted ? aborted('publish') : undefined)
    if (error === undefined) this.#publisher.publish(batch, settle, signal)
    else failAll(batch, settle, error)
  }

  /** See {@link Link.subscribe}. */
  async subscribe(
    topics: readonly string[],
    { group, maxInWork }: SubscribeOptions,
    signal: AbortSignal,
  ): Promise<Deliveries> {
    const streams = [...new Set(topics)]
    if (streams.length === 0) {
      throw new Failure('INVALID_TOPIC', 'Cannot subscribe: no topic is named, name at least one')
    }
    for (const stream of streams) checkStreamName(stream)
    const unusable = this.#unusable()
    if (unusable !== undefined) throw linkLost(this.#main.address, unusable)
    if (signal.aborted) throw aborted('subscribe')
    const context = this.#context()
    const reader =
      group === undefined
        ? new FreeReader(context, streams, maxInWork)
        : new GroupReader(context, { group, consumer: this.#consumer(group, streams), streams, maxInWork })
    await this.#readers.start(reader, signal)
    return reader.deliveries
  }

  /** See {@link Link.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Two members of one group on one link have different names where they share a stream, or each would take the other's entries for its own. */
  #consumer(group: string, streams: readonly string[]): string {
    const { consumer, uniqueConsumer } = this.#setup.options
    const name = consumer ?? uniqueConsumer
    const taken = new Set<string>()
    for (const reader of this.#readers.open) {
      if (!(reader instanceof GroupReader) || reader.group !== group) continue
      if (reader.streams.some((stream) => streams.includes(stream))) taken.add(reader.consumer)
    }
    let found = name
    for (let number = 2; taken.has(found); number += 1) found = `${name}-${number}`
    return found
  }

  #context(): ReaderContext {
    const { options, clock } = this.#setup
    return {
      options,
      clock,
      main: this.#main,
      open: (signal) => this.#open(signal),
      lost: (error) => this.#end(error),
      left: (reader) => this.#readers.leave(reader),
    }
  }

  async #open(signal: AbortSignal): Promise<RedisConnection> {
    const { place } = this.#introduced
    const { connection } = await dialPlace(this.#setup, place, this.#setup.options.connectTimeoutMs, signal)
    connection.asBytes = true
    connection.onEnd = (error) => this.#end(error)
    if (connection.ended !== undefined) throw connection.ended
    return connection
  }

  #unusable(): BackhaulError | undefined {
    return this.#ended ?? (this.#closing === undefined ? undefined : closed(this.#main.address))
  }

  async #close(): Promise<void> {
    if (this.#ended === undefined) {
      const flushed = async () => {
        await this.#readers.leaveAll()
        if (!this.#publisher.isIdle) await this.#publisher.idle
      }
      const limit = deferred()
      const timer = this.#setup.clock.after(CLOSE_MS, () => limit.resolve())
      await Promise.race([flushed(), limit.promise, this.#lost.promise])
      timer.cancel()
    }
    this.#end(closed(this.#main.address))
    await this.#readers.quiet()
  }

  #end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#watch?.cancel()
    this.#lost.resolve(error)
    this.#readers.end(error, () => linkLost(this.#main.address, error))
    this.#main.close(error)
    this.#publisher.end(error)
  }

  /** Looks now and then whether the broker is silent for too long. */
  #look(): void {
    if (this.#ended !== undefined) return
    const { clock, options } = this.#setup
    const everyMs = Math.max(5, Math.min(options.keepAliveMs, options.commandTimeoutMs, 10_000) / 8)
    this.#watch = clock.after(everyMs, () => {
      const now = clock.monotonic()
      this.#main.look(now)
      this.#publisher.look(now)
      for (const reader of this.#readers.open) reader.look(now)
      this.#look()
    })
  }
}

function capabilitiesOf(options: RedisOptions): Capabilities {
  const { maxMessageBytes, idField, keyField, headersField } = options
  return {
    ...REDIS_CAPABILITIES,
    carriesId: idField !== '',
    carriesKey: keyField !== '',
    carriesHeaders: headersField !== '',
    maxPayloadBytes: maxMessageBytes,
    maxBatchBytes: Math.min(REDIS_CAPABILITIES.maxBatchBytes, maxMessageBytes),
  }
}
