import { isIP } from 'node:net'

import type { Auth, BackhaulError, Clock, TlsSettings } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { hostAndPort, openSocket } from '../../shared/socket.ts'
import { BrokerConnection } from './connection.ts'
import type { Driver } from './driver.ts'
import { errorName } from './driver.ts'
import { aborted, kafkaError, linkLost } from '../errors.ts'
import { helloBytes, introduce } from './introduction.ts'
import type { KafkaOptions } from '../options.ts'

/*
 * The brokers of one cluster as one link sees them: where partitions and groups are led, and the connections to them. Every
 * connection is closed with the cluster; one that ends by itself ends the link (`onLost`).
 */

/** One partition of a topic. */
export interface Partition {
  /** Its number. */
  readonly index: number
  /** The broker that leads it; -1 while there is none. */
  readonly leader: number
}

/** A topic as a broker tells of it. */
export interface Topic {
  /** Its name. */
  readonly name: string
  /** The error's name in Kafka's protocol, or `undefined` where all is well. */
  readonly error: string | undefined
  /** Its partitions, by number. */
  readonly partitions: readonly Partition[]
}

/** What a cluster is dialled with. */
export interface ClusterSetup {
  /** The driver's codec. */
  readonly driver: Driver
  /** Options of the link. */
  readonly options: KafkaOptions
  /** TLS settings, or `undefined` for plaintext. */
  readonly tls: TlsSettings | undefined
  /** User and password, or `undefined` for none. */
  readonly auth: Auth | undefined
  /** Time. */
  readonly clock: Clock
}

interface Place {
  readonly host: string
  readonly port: number
}

/** The brokers of one cluster. */
export class Cluster {
  /** The driver's codec. */
  readonly driver: Driver
  /** Options of the link. */
  readonly options: KafkaOptions
  /** Time. */
  readonly clock: Clock
  readonly #setup: ClusterSetup
  readonly #connections = new Set<BrokerConnection>()
  readonly #places = new Map<number, Place>()
  readonly #shared = new Map<number, Promise<BrokerConnection>>()
  readonly #onLost: (error: BackhaulError) => void
  readonly #abort = new AbortController()
  #first: BrokerConnection | undefined
  #closed: BackhaulError | undefined

  /** @param onLost - called when a connection ends by itself */
  constructor(setup: ClusterSetup, onLost: (error: BackhaulError) => void) {
    this.#setup = setup
    this.driver = setup.driver
    this.options = setup.options
    this.clock = setup.clock
    this.#onLost = onLost
  }

  /** The connection to the broker that was dialled. Throws before `dial()`. */
  get first(): BrokerConnection {
    if (this.#first === undefined) throw linkLost('the cluster')
    return this.#first
  }

  /** Dials the brokers named in the address one after another until one answers. */
  async dial(signal: AbortSignal): Promise<void> {
    const { hosts } = this.options
    let failure: BackhaulError | undefined
    for (const place of hosts) {
      try {
        const connection = await this.#open(place, signal)
        this.#first = connection
        await this.#learn(connection)
        return
      } catch (error) {
        if (signal.aborted) throw aborted(`connect to ${nameOf(place)}`, signal)
        if (!(error instanceof Failure)) throw error
        // a refusal says more than the silence of another broker
        if (failure === undefined || isOutage(failure)) failure = error
      }
    }
    throw failure ?? linkLost('the cluster')
  }

  /** Asks about topics; `null` for all of them. `create` lets the broker make those that are missing. */
  async topics(names: readonly string[] | null, create: boolean): Promise<Topic[]> {
    const { driver } = this
    const answer = await this.first.request(driver.metadataV9, [names === null ? null : [...names], create])
    this.#learnPlaces(answer.brokers)
    return answer.topics.map(({ name, errorCode, partitions }) => ({
      name: name ?? '',
      error: errorCode === 0 ? undefined : errorName(driver, errorCode),
      partitions: partitions
        .map(({ partitionIndex, leaderId }) => ({ index: partitionIndex, leader: leaderId }))
        .toSorted((a, b) => a.index - b.index),
    }))
  }

  /** The connection to a broker that publishing and short requests share. */
  connection(nodeId: number): Promise<BrokerConnection> {
    const known = this.#shared.get(nodeId)
    if (known !== undefined) return known
    const opened = this.#isFirst(nodeId) ? Promise.resolve(this.first) : this.open(nodeId)
    this.#shared.set(nodeId, opened)
    // the next one who asks tries again
    opened.catch(() => this.#shared.delete(nodeId))
    return opened
  }

  /** A connection to a broker of the caller's own, who closes it. */
  async open(nodeId: number): Promise<BrokerConnection> {
    const place = this.#places.get(nodeId)
    if (place === undefined) throw linkLost(`broker ${nodeId}`)
    const limit = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(this.options.connectTimeoutMs)])
    try {
      return await this.#open(place, limit)
    } catch (error) {
      if (this.#closed !== undefined) throw linkLost(nameOf(place), this.#closed)
      if (
        this.options.sasl === 'OAUTHBEARER' &&
        error instanceof Failure &&
        error.code === 'BAD_CREDENTIALS'
      ) {
        // the token was good when the link began, and may have ended since
        throw linkLost(nameOf(place), error)
      }
      throw advertised(place, this.first.address, error)
    }
  }

  /** Finds the broker that coordinates a group. */
  async coordinator(group: string): Promise<number> {
    const { driver } = this
    for (let tries = 1; ; tries += 1) {
      const { coordinators } = await this.first.request(driver.findCoordinatorV4, [0, [group]])
      const found = coordinators[0]
      const name = errorName(driver, found?.errorCode ?? -1)
      if (found !== undefined && found.errorCode === 0) {
        this.#places.set(found.nodeId, { host: found.host, port: found.port })
        return found.nodeId
      }
      // the first group of a cluster has the topic of the offsets made
      const passes = name === 'COORDINATOR_NOT_AVAILABLE' || name === 'COORDINATOR_LOAD_IN_PROGRESS'
      if (!passes || tries > 100) {
        throw kafkaError({ name, what: `use the group "${group}"`, text: found?.errorMessage })
      }
      await this.pause(Math.min(50 * tries, 1000))
    }
  }

  /** Waits; rejects when the cluster is closed. */
  pause(ms: number, signal?: AbortSignal): Promise<void> {
    const limit = signal === undefined ? this.#abort.signal : AbortSignal.any([this.#abort.signal, signal])
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        timer.cancel()
        reject(this.#closed ?? aborted('wait', limit))
      }
      const timer = this.clock.after(ms, () => {
        limit.removeEventListener('abort', giveUp)
        resolve()
      })
      limit.addEventListener('abort', giveUp, { once: true })
      if (limit.aborted) giveUp()
    })
  }

  /** Closes a connection that `open()` gave. */
  release(connection: BrokerConnection, error: BackhaulError): void {
    this.#connections.delete(connection)
    connection.close(error)
  }

  /** Looks whether a broker owes an answer for too long, and keeps idle connections alive. */
  look(now: number): void {
    for (const connection of this.#connections) {
      connection.look(now)
      const idle = connection.pending === 0 && now - connection.lastSentMs >= this.options.keepAliveMs
      if (idle) introduce(this.driver, connection).catch(() => undefined)
    }
  }

  /** Ends every connection. */
  close(error: BackhaulError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#abort.abort()
    for (const connection of this.#connections) connection.close(error)
    this.#connections.clear()
  }

  async #open(place: Place, signal: AbortSignal): Promise<BrokerConnection> {
    const { driver, options, tls, auth, clock } = this.#setup
    const address = nameOf(place)
    if (signal.aborted) throw aborted(`connect to ${address}`, signal)
    const { clientId, requestTimeoutMs } = options
    const socket = await openSocket(
      { ...place, tls, websocket: undefined, plaintextHello: helloBytes(driver, clientId) },
      signal,
    )
    const connection = new BrokerConnection(
      { driver, clientId, clock, requestTimeoutMs },
      socket,
      address,
      (error) => {
        this.#connections.delete(connection)
        if (ready) this.#onLost(error)
      },
    )
    let ready = false
    this.#connections.add(connection)
    const giveUp = () => connection.close(aborted(`connect to ${address}`, signal))
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      if (signal.aborted) giveUp()
      await introduce(driver, connection, { ...place, tls, auth, mechanism: options.sasl, signal })
      ready = true
      if (this.#closed !== undefined) throw linkLost(address, this.#closed)
      return connection
    } catch (error) {
      this.release(connection, linkLost(address))
      if (signal.aborted) throw aborted(`connect to ${address}`, signal)
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #learn(connection: BrokerConnection): Promise<void> {
    const { brokers } = await connection.request(this.driver.metadataV9, [[], false])
    this.#learnPlaces(brokers)
  }

  #learnPlaces(
    brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
  ) {
    for (const { nodeId, host, port } of brokers) this.#places.set(nodeId, { host, port })
  }

  #isFirst(nodeId: number): boolean {
    const place = this.#places.get(nodeId)
    return place !== undefined && nameOf(place) === this.first.address
  }
}

function nameOf({ host, port }: Place): string {
  return hostAndPort(host, port)
}

function isOutage({ code }: BackhaulError): boolean {
  return code === 'UNREACHABLE' || code === 'TIMEOUT' || code === 'NAME_NOT_FOUND' || code === 'LINK_LOST'
}

/** Clients dial what a broker advertises: where that leads nowhere, the address they were given is not at fault. */
function advertised(place: Place, first: string, cause: unknown): unknown {
  if (!(cause instanceof Failure) || nameOf(place) === first) return cause
  const where = isIP(place.host) === 0 ? `"${place.host}:${place.port}"` : nameOf(place)
  return new Failure(
    cause.code === 'ABORTED' ? 'TIMEOUT' : cause.code,
    `Cannot go on at ${first}: it sends clients to ${where} (its advertised.listeners), and there: ${cause.message}`,
    cause,
    { ...(cause.scope !== undefined && { scope: cause.scope }) },
  )
}
