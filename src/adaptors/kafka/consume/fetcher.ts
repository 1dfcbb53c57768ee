import type { BackhaulError } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Cluster } from '../session/cluster.ts'
import type { BrokerConnection } from '../session/connection.ts'
import { errorName } from '../session/driver.ts'
import { kafkaError, lostBy, violation } from '../errors.ts'
import type { Fetched, FetchedPartition } from './fetch-request.ts'
import { FETCH, readFetch, writeFetch } from './fetch-request.ts'
import { listOffsets, placeName, STALE } from './offsets.ts'
import type { Outlet } from './outlet.ts'
import { readRecords } from './record-reader.ts'

/*
 * Fetches the messages of one subscription into its outlet: one request to each broker at a time, over connections of its own, as long
 * as the outlet has room. A partition that is led elsewhere is left out until its leader is known again.
 */

/** Messages of one partition that may be unfinished behind one that was given back, before it is read no further. */
const MAX_OPEN = 10_000
/** What a message takes beside its bytes, about. */
const ITEM_BYTES = 200

interface Source {
  connection: BrokerConnection | undefined
  busy: boolean
}

/** Who is told about a fetcher's troubles. */
export interface FetcherWatcher {
  /** A partition is led elsewhere; look up the leaders. */
  stale(): void
  /** Something was confirmed to be read up to its end, without a message to finish. */
  moved(): void
  /** The link must end. */
  lost(error: BackhaulError): void
}

/** Fetches the messages of one subscription. */
export class Fetcher {
  /** What is read. */
  readonly partitions = new Map<string, AssignedPartition>()
  readonly #cluster: Cluster
  readonly #outlet: () => Outlet
  readonly #watcher: FetcherWatcher
  readonly #sources = new Map<number, Source>()
  #ended: BackhaulError | undefined
  #checked = false

  constructor(cluster: Cluster, outlet: () => Outlet, watcher: FetcherWatcher) {
    this.#cluster = cluster
    this.#outlet = outlet
    this.#watcher = watcher
  }

  /** Whether the broker has shown that it lets us read. */
  get checked(): boolean {
    return this.#checked
  }

  /** How many messages of the partitions are not finished; `undefined` until each has told its end. */
  get lag(): number | undefined {
    let lag = 0
    for (const { end, finished } of this.partitions.values()) {
      if (end < 0) return undefined
      lag += Math.max(0, end - finished)
    }
    return lag
  }

  /** Reads a partition too. */
  add(partition: AssignedPartition): void {
    this.partitions.set(placeName(partition), partition)
  }

  /** Reads a partition no more; what is in work for it does not count. */
  remove(partition: AssignedPartition): void {
    partition.active = false
    this.partitions.delete(placeName(partition))
  }

  /**
   * Shows once that the broker lets us read, and takes what is there.
   *
   * @throws BackhaulError `NOT_AUTHORIZED`
   */
  async check(): Promise<void> {
    const leaders = new Set([...this.partitions.values()].map(({ leader }) => leader))
    for (const leader of leaders) {
      if (leader < 0) continue
      const source = this.#source(leader)
      source.busy = true
      const asked = this.#wanted(leader, true)
      const fetched = await this.#ask(await this.#connect(leader, source), asked, 0)
      source.busy = false
      const denied = fetched.partitions.find(({ errorCode }) => {
        return errorName(this.#cluster.driver, errorCode) === 'TOPIC_AUTHORIZATION_FAILED'
      })
      if (denied !== undefined) {
        throw kafkaError({
          name: 'TOPIC_AUTHORIZATION_FAILED',
          what: `subscribe to "${denied.topic}"`,
          scope: 'topic',
        })
      }
      this.#take(asked, fetched)
    }
    this.#checked = true
    this.look()
  }

  /** Asks every broker that has something for us, as far as there is room. */
  look(): void {
    const outlet = this.#outlet()
    if (!this.#checked || this.#ended !== undefined || !outlet.hungry) return
    if (outlet.bytes >= this.#cluster.options.fetchMaxBytes) return
    for (const { leader } of this.partitions.values()) {
      if (leader < 0 || this.#sources.get(leader)?.busy === true) continue
      const asked = this.#wanted(leader, false)
      if (asked.size > 0) this.#fetch(leader, asked)
    }
  }

  /** Ends its connections. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    for (const { connection } of this.#sources.values()) {
      if (connection !== undefined) this.#cluster.release(connection, error)
    }
    for (const partition of this.partitions.values()) partition.active = false
    this.partitions.clear()
  }

  #source(leader: number): Source {
    const known = this.#sources.get(leader)
    if (known !== undefined) return known
    const source: Source = { connection: undefined, busy: false }
    this.#sources.set(leader, source)
    return source
  }

  async #connect(leader: number, source: Source): Promise<BrokerConnection> {
    if (source.connection !== undefined) return source.connection
    const connection = await this.#cluster.open(leader)
    if (this.#ended !== undefined) {
      this.#cluster.release(connection, this.#ended)
      throw this.#ended
    }
    source.connection = connection
    return connection
  }

  /** What is to be read from a broker, with the offset to begin at. */
  #wanted(leader: number, all: boolean): Map<AssignedPartition, number> {
    const wanted = new Map<AssignedPartition, number>()
    for (const partition of this.partitions.values()) {
      if (partition.leader !== leader || partition.leaving || (!all && partition.open >= MAX_OPEN)) continue
      wanted.set(partition, partition.position)
    }
    return wanted
  }

  #fetch(leader: number, asked: ReadonlyMap<AssignedPartition, number>): void {
    const source = this.#source(leader)
    source.busy = true
    this.#connect(leader, source)
      .then((connection) => this.#ask(connection, asked, this.#cluster.options.fetchWaitMs))
      .then((fetched) => {
        source.busy = false
        this.#take(asked, fetched)
        this.look()
      })
      .catch((error: unknown) => {
        if (this.#ended !== undefined) return
        const { address } = this.#cluster.first
        this.#watcher.lost(
          error instanceof Failure ? error : violation(address, 'what cannot be read', error),
        )
      })
  }

  #ask(
    connection: BrokerConnection,
    asked: ReadonlyMap<AssignedPartition, number>,
    maxWaitMs: number,
  ): Promise<Fetched> {
    const positions = [...asked].map(([{ topic, index }, offset]) => ({ topic, index, offset }))
    const body = writeFetch(positions, maxWaitMs, this.#cluster.options)
    const head = connection.header(FETCH.key, FETCH.version, body.length)
    return new Promise((resolve, reject) => {
      connection.send([head, body], { extraMs: maxWaitMs }, (answer) => resolve(readFetch(answer)), reject)
    })
  }

  #take(asked: ReadonlyMap<AssignedPartition, number>, fetched: Fetched): void {
    if (this.#ended !== undefined) return
    const { driver } = this.#cluster
    if (fetched.errorCode !== 0) {
      this.#watcher.lost(lostBy({ name: errorName(driver, fetched.errorCode), what: 'read' }))
      return
    }
    for (const part of fetched.partitions) {
      const partition = this.partitions.get(placeName(part))
      // it may have been taken away, or moved, in the meantime
      if (partition === undefined || asked.get(partition) !== partition.position) continue
      const name = errorName(driver, part.errorCode)
      if (name === 'NONE') this.#deliver(partition, part)
      else this.#trouble(partition, name)
    }
  }

  #deliver(partition: AssignedPartition, part: FetchedPartition): void {
    partition.end = part.highWatermark
    if (part.records.length === 0) return
    const { messages, next } = readRecords(this.#cluster.driver, part, partition.position)
    const items = messages.map((stored) => ({
      partition,
      offset: stored.offset,
      stored,
      bytes: stored.value.length + ITEM_BYTES,
      redelivered: false,
      finished: false,
    }))
    for (const item of items) partition.add(item)
    partition.moveTo(next)
    const outlet = this.#outlet()
    for (const item of items) outlet.push(item)
    if (items.length === 0) this.#watcher.moved()
  }

  #trouble(partition: AssignedPartition, name: string): void {
    if (STALE.has(name)) {
      partition.leader = -1
      this.#watcher.stale()
    } else if (name === 'OFFSET_OUT_OF_RANGE') {
      this.#startAgain(partition)
    } else {
      this.#watcher.lost(lostBy({ name, what: `read "${partition.topic}"` }))
    }
  }

  /** The offset is not there any more, by age or because the topic was made anew: the first one that is there is the next. */
  #startAgain(partition: AssignedPartition): void {
    const { leader } = partition
    partition.leader = -1
    listOffsets(this.#cluster, [partition], 'earliest').then(
      (offsets) => {
        partition.moveTo(offsets.get(placeName(partition)) ?? 0)
        partition.leader = leader
        this.look()
      },
      (error: unknown) => {
        if (error instanceof Failure && this.#ended === undefined) this.#watcher.lost(error)
      },
    )
  }
}
