import type { BackhaulError } from '../../../contract/index.ts'
import type { Cluster } from '../session/cluster.ts'
import type { BrokerConnection } from '../session/connection.ts'
import { errorName } from '../session/driver.ts'
import { kafkaError, lostBy } from '../errors.ts'
import type { GroupMember } from './group-protocol.ts'
import {
  assign,
  ASSIGNORS,
  COOPERATIVE,
  PROTOCOL_TYPE,
  readAssignment,
  readSubscription,
  writeAssignment,
  writeSubscription,
} from './group-protocol.ts'
import type { Place } from './offsets.ts'
import { groupByTopic, placeName } from './offsets.ts'

/*
 * One member of one group, as its coordinator sees it (Kafka's classic protocol):
 *
 *   out ── join, sync ──▶ member of a generation ── heartbeat says "rebalance" ──▶ join again, with the same member id
 *                             └── unknown member, old generation ──▶ out: others may have what was ours
 *
 * A coordinator that moved is found again; then we are still the same member.
 */

/** What an answer of the coordinator asks for. */
export type GroupWord = 'ok' | 'rejoin' | 'out'

/** What a member got. */
export interface Membership {
  /** Its partitions. */
  readonly places: readonly Place[]
  /** True where nobody else can have had, since the last time, what was ours then and still is. */
  readonly isContinued: boolean
  /** True where what was ours and is not any more goes to others only when we join again. */
  readonly isCooperative: boolean
}

const REJOIN: ReadonlySet<string> = new Set(['REBALANCE_IN_PROGRESS', 'MEMBER_ID_REQUIRED'])
const OUT: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'])
const MOVED: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
])
const NOTHING: Omit<GroupMember, 'id'> = { topics: [], owned: [], generation: -1 }
const AGAIN_MS = 100
const TRIES = 100

/** One member of one group. */
export class Member {
  readonly #cluster: Cluster
  readonly #group: string
  #connection: BrokerConnection | undefined
  #memberId = ''
  #generation = -1
  #ended: BackhaulError | undefined

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster
    this.#group = group
  }

  /**
   * Joins, or joins again; waits for the other members.
   *
   * @param owned - what is ours and is to stay so
   */
  async join(topics: readonly string[], owned: readonly Place[]): Promise<Membership> {
    const { driver, options } = this.#cluster
    let isContinued = this.#memberId !== ''
    for (let tries = 1; ; tries += 1) {
      const connection = await this.#connect()
      const had = isContinued ? owned : []
      const metadata = writeSubscription({ topics, owned: had, generation: this.#generation })
      const answer = await connection.request(
        driver.joinGroupV7,
        [
          this.#group,
          options.sessionTimeoutMs,
          options.rebalanceTimeoutMs,
          this.#memberId,
          options.groupInstanceId ?? null,
          PROTOCOL_TYPE,
          ASSIGNORS[options.rebalance].map((name) => ({ name, metadata })),
        ],
        { extraMs: options.rebalanceTimeoutMs },
      )
      const word = await this.#hear(answer.errorCode, tries)
      if (word === 'out') isContinued = false
      const memberId = answer.memberId ?? ''
      if (memberId !== '' && word !== 'out') this.#memberId = memberId
      if (word !== 'ok') continue
      this.#generation = answer.generationId
      const isLeader = answer.leader === this.#memberId
      const members = answer.members.map(({ memberId, metadata }) => ({
        id: memberId,
        ...(metadata === null ? NOTHING : readSubscription(metadata)),
      }))
      const shares = isLeader ? await this.#shareOut(answer.protocolName ?? 'range', members) : []
      const places = await this.#sync(answer.protocolName ?? null, shares, tries)
      if (places === 'out') isContinued = false
      else if (places !== 'rejoin') {
        return { places, isContinued, isCooperative: answer.protocolName === COOPERATIVE }
      }
    }
  }

  /** Shows that we live. */
  async heartbeat(): Promise<GroupWord> {
    const { driver, options } = this.#cluster
    const connection = await this.#connect()
    const answer = await connection.request(driver.heartbeatV4, [
      this.#group,
      this.#generation,
      this.#memberId,
      options.groupInstanceId ?? null,
    ])
    return this.#hear(answer.errorCode, 1)
  }

  /** The offsets that were confirmed, by the names of partitions. */
  async confirmed(places: readonly Place[]): Promise<Map<string, number>> {
    const { driver } = this.#cluster
    const found = new Map<string, number>()
    if (places.length === 0) return found
    const topics = [...groupByTopic(places)].map(([name, list]) => ({
      name,
      partitionIndexes: list.map(({ index }) => index),
    }))
    for (let tries = 1; ; tries += 1) {
      const connection = await this.#connect()
      const groups = [{ groupId: this.#group, memberEpoch: -1, topics }]
      const { groups: answers } = await connection.request(driver.offsetFetchV8, [groups, true])
      const answer = answers[0]
      const parts = answer?.topics.flatMap(({ name, partitions }) =>
        partitions.map((one) => ({ ...one, topic: name, index: one.partitionIndex })),
      )
      const unstable = parts?.some(({ errorCode }) => {
        return errorName(driver, errorCode) === 'UNSTABLE_OFFSET_COMMIT'
      })
      const word = await this.#hear(answer?.errorCode ?? -1, tries)
      if (unstable === true) await this.#cluster.pause(AGAIN_MS)
      if (word !== 'ok' || unstable === true) continue
      for (const part of parts ?? []) {
        if (part.errorCode !== 0) throw this.#refusal(errorName(driver, part.errorCode))
        if (part.committedOffset >= 0n) found.set(placeName(part), Number(part.committedOffset))
      }
      return found
    }
  }

  /** Confirms offsets. */
  async confirm(offsets: readonly (Place & { readonly offset: number })[]): Promise<GroupWord> {
    const { driver, options } = this.#cluster
    const connection = await this.#connect()
    const topics = [...groupByTopic(offsets)].map(([name, list]) => ({
      name,
      partitions: list.map(({ index, offset }) => ({
        partitionIndex: index,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
      })),
    }))
    const answer = await connection.request(driver.offsetCommitV8, [
      this.#group,
      this.#generation,
      this.#memberId,
      options.groupInstanceId ?? null,
      topics,
    ])
    const codes = answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
    const [wrong = 0] = codes.filter((code) => code !== 0)
    return this.#hear(wrong, 1)
  }

  /** Leaves the group; one with a name of its own keeps its place for when it comes back. */
  async leave(): Promise<void> {
    const { driver, options } = this.#cluster
    if (this.#connection === undefined || this.#memberId === '' || options.groupInstanceId !== undefined)
      return
    await this.#connection.request(driver.leaveGroupV4, [this.#group, [{ memberId: this.#memberId }]])
  }

  /** Ends its connection. */
  end(error: BackhaulError): void {
    this.#ended ??= error
    if (this.#connection !== undefined) this.#cluster.release(this.#connection, error)
    this.#connection = undefined
  }

  async #connect(): Promise<BrokerConnection> {
    if (this.#connection !== undefined) return this.#connection
    const connection = await this.#cluster.open(await this.#cluster.coordinator(this.#group))
    if (this.#ended !== undefined) {
      this.#cluster.release(connection, this.#ended)
      throw this.#ended
    }
    this.#connection = connection
    return connection
  }

  /** What an error asks for; throws where nothing helps. */
  async #hear(code: number, tries: number): Promise<GroupWord> {
    if (code === 0) return 'ok'
    const name = errorName(this.#cluster.driver, code)
    if (REJOIN.has(name)) return 'rejoin'
    if (OUT.has(name)) {
      this.#memberId = ''
      this.#generation = -1
      return 'out'
    }
    if (!MOVED.has(name) || tries > TRIES) throw this.#refusal(name)
    if (this.#connection !== undefined) this.#cluster.release(this.#connection, this.#refusal(name))
    this.#connection = undefined
    await this.#cluster.pause(AGAIN_MS)
    return 'rejoin'
  }

  #refusal(name: string): BackhaulError {
    const what = `read in the group "${this.#group}"`
    const error = kafkaError({ name, what, scope: 'topic' })
    return error.code === 'REFUSED' ? lostBy({ name, what }) : error
  }

  /** What the leader does: everybody's share. */
  async #shareOut(assignor: string, members: readonly GroupMember[]) {
    const topics = [...new Set(members.flatMap((member) => member.topics))]
    const found = topics.length === 0 ? [] : await this.#cluster.topics(topics, false)
    const counts = new Map(found.map(({ name, partitions }) => [name, partitions.length]))
    return [...assign(assignor, members, counts)].map(([memberId, places]) => ({
      memberId,
      assignment: writeAssignment(places),
    }))
  }

  async #sync(
    protocol: string | null,
    assignments: { memberId: string; assignment: Buffer }[],
    tries: number,
  ): Promise<Place[] | 'rejoin' | 'out'> {
    const { driver, options } = this.#cluster
    const connection = await this.#connect()
    const answer = await connection.request(
      driver.syncGroupV5,
      [
        this.#group,
        this.#generation,
        this.#memberId,
        options.groupInstanceId ?? null,
        PROTOCOL_TYPE,
        protocol,
        assignments,
      ],
      { extraMs: options.rebalanceTimeoutMs },
    )
    const word = await this.#hear(answer.errorCode, tries)
    return word === 'ok' ? readAssignment(answer.assignment) : word
  }
}
