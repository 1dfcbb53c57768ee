import { Cursor } from '../session/bytes.ts'
import type { Place } from './offsets.ts'
import { groupByTopic } from './offsets.ts'
import { assignSticky } from './sticky.ts'

/*
 * What members of a group tell one another through the broker (protocol type "consumer"): the topics that each wants and what it has,
 * and, from the leader, which partitions each gets.
 *
 *   subscription, version 2: version int16 | topics: count int32, names | user data (none) | what it has, as places | generation int32
 *   assignment, version 0:   version int16 | places | user data (none)
 *   places: count of topics int32, name, partitions: count int32, numbers
 */

/** The protocol type of groups of consumers. */
export const PROTOCOL_TYPE = 'consumer'
/** With this one, a partition that moves is given up first, and given anew in the next round; all others go on (KIP-429). */
export const COOPERATIVE = 'cooperative-sticky'
/** The ways to share out partitions that are known here, by their names in Kafka. The leader uses the one that all know. */
export const ASSIGNORS = {
  cooperative: [COOPERATIVE, 'range', 'roundrobin'],
  eager: ['range', 'roundrobin'],
} as const

/** A member of a group and the topics that it wants. */
export interface GroupMember {
  /** Given by the broker. */
  readonly id: string
  /** Topics that it wants. */
  readonly topics: readonly string[]
  /** Partitions that it has. */
  readonly owned: readonly Place[]
  /** The generation that it has them of; -1 where it does not say. */
  readonly generation: number
}

/** Writes a subscription. */
export function writeSubscription({ topics, owned, generation }: Omit<GroupMember, 'id'>): Buffer {
  const wanted = [int16(2), int32(topics.length), ...topics.map(text), int32(-1)]
  return Buffer.concat([...wanted, ...placesOf(owned), int32(generation)])
}

/** Reads a subscription of any version: later ones only add to it. */
export function readSubscription(bytes: Buffer): Omit<GroupMember, 'id'> {
  const cursor = new Cursor(bytes)
  const version = cursor.int16()
  const topics: string[] = []
  for (let left = cursor.int32(); left > 0; left -= 1) topics.push(cursor.string())
  const userBytes = cursor.int32()
  const user = new Cursor(cursor.take(Math.max(0, userBytes)))
  const owned = version >= 1 ? readPlaces(cursor) : []
  // before version 2 the Java client has it in the user data
  if (version >= 2) return { topics, owned, generation: cursor.int32() }
  return { topics, owned, generation: userBytes >= 4 ? user.int32() : -1 }
}

/** Writes an assignment. */
export function writeAssignment(places: readonly Place[]): Buffer {
  return Buffer.concat([int16(0), ...placesOf(places), int32(-1)])
}

/** Reads an assignment; an empty one is nothing. */
export function readAssignment(bytes: Buffer): Place[] {
  if (bytes.length === 0) return []
  const cursor = new Cursor(bytes)
  cursor.int16()
  return readPlaces(cursor)
}

function placesOf(places: readonly Place[]): Buffer[] {
  const topics = groupByTopic(places)
  const parts = [int32(topics.size)]
  for (const [topic, list] of topics) {
    parts.push(text(topic), int32(list.length), ...list.map(({ index }) => int32(index)))
  }
  return parts
}

function readPlaces(cursor: Cursor): Place[] {
  const places: Place[] = []
  for (let topics = cursor.int32(); topics > 0; topics -= 1) {
    const topic = cursor.string()
    for (let left = cursor.int32(); left > 0; left -= 1) places.push({ topic, index: cursor.int32() })
  }
  return places
}

/**
 * Shares out partitions among members, as Kafka's assignors of these names do.
 *
 * @param counts - how many partitions each topic has
 */
export function assign(
  assignor: string,
  members: readonly GroupMember[],
  counts: ReadonlyMap<string, number>,
): Map<string, Place[]> {
  if (assignor === COOPERATIVE) return assignSticky(members, counts)
  const shares = new Map<string, Place[]>(members.map(({ id }) => [id, []]))
  const sorted = [...members].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const topics = [...new Set(members.flatMap((member) => member.topics))].toSorted()
  let turn = 0
  for (const topic of topics) {
    const count = counts.get(topic) ?? 0
    const takers = sorted.filter((member) => member.topics.includes(topic))
    if (assignor === 'range') {
      giveRanges(topic, count, takers, shares)
      continue
    }
    for (let index = 0; index < count; index += 1) {
      // the next member that wants this topic
      for (let tries = 0; tries < sorted.length; tries += 1) {
        const member = sorted[turn % sorted.length]
        turn += 1
        if (member?.topics.includes(topic) !== true) continue
        shares.get(member.id)?.push({ topic, index })
        break
      }
    }
  }
  return shares
}

function giveRanges(
  topic: string,
  count: number,
  takers: readonly GroupMember[],
  shares: ReadonlyMap<string, Place[]>,
): void {
  const least = Math.floor(count / Math.max(1, takers.length))
  const more = count % Math.max(1, takers.length)
  let index = 0
  for (const [place, { id }] of takers.entries()) {
    const end = index + least + (place < more ? 1 : 0)
    for (; index < end; index += 1) shares.get(id)?.push({ topic, index })
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}
