import type { Expiry, LaneIndex, Settled, Ticket } from '../entry.ts'
import { Entry, expiryAt, LANES } from '../entry.ts'
import { SequenceQueue } from '../sequence-queue.ts'
import type { Dropped } from '../store.ts'
import type { Frame } from './format.ts'
import { SEGMENT_HEADER_BYTES } from './format.ts'
import { openBody, standIn } from './lane-reader.ts'
import type { LogRecord, Origin } from './record.ts'
import { decodeRecord } from './record.ts'
import { FrameScanner } from './scanner.ts'
import type { SegmentLog } from './segment-log.ts'
import type { LogContext, Segment } from './segment.ts'

/*
 * Parked messages lie in a side log of their own, so that the lanes' segments can go. In memory there is a small item for each, by
 * topic and in order of the sequence that it had in its lane; the messages themselves only while they fit into a few megabytes.
 *
 * Moving is a copy and then an end: the message is over in its lane once the copy is safe. A crash between the two leaves both,
 * and the one in the lane is over then. The same holds when a segment is emptied by copying what is still parked in it.
 */

const MAX_BYTES = 4 * 1024 * 1024
/** So much of the side log may be over before it is emptied. */
const MIN_COMPACT_BYTES = 1024 * 1024
/** So many of a topic are looked for in one read. */
const READ_AHEAD = 256

/** A parked message that was found at a start. Its payload is read when its turn comes. */
export interface FoundParked {
  /** Its topic. */
  readonly topic: string
  /** Where it comes from. */
  readonly origin: Origin
  /** Payload bytes. */
  readonly bytes: number
  /** When it becomes too old, in milliseconds since 1970. */
  readonly expiresAtMs: number | undefined
}

/** One parked message. */
interface Item {
  readonly lane: LaneIndex
  readonly topic: string
  /** In its lane. */
  readonly sequence: number
  readonly bytes: number
  readonly expiry: Expiry | undefined
  readonly settled: Settled | undefined
  readonly ticket: Ticket | undefined
  /** In the side log. */
  position: number
  entry: Entry | undefined
  /** True once it is not in its queue any more. */
  gone: boolean
}

type Topics = Map<string, SequenceQueue<Item>>

/** What the side log asks of the store. */
export interface ParkedHooks {
  /** Something can be taken now that was being read. */
  changed(): void
  /** A record that was safe cannot be read. */
  lost(item: Entry, bytes: number): void
  /** Reading failed. */
  failed(error: unknown): void
  /** A record is over once the side log is safe up to `position`. */
  after(position: number, log: 'lane' | 'parked', lane: LaneIndex, sequence: number, bytes: number): void
}

/** The parked messages of all classes. */
export class ParkedLog {
  readonly #log: SegmentLog
  readonly #context: LogContext
  readonly #hooks: ParkedHooks
  readonly #topics: readonly [Topics, Topics, Topics] = [new Map(), new Map(), new Map()]
  /** What the pump has taken, to be found again when it ends or is parked once more. */
  readonly #taken = new Map<Entry, Item>()
  #count = 0
  #bytes = 0
  #heldBytes = 0
  #loading: Promise<void> | undefined
  #closed = false

  constructor(log: SegmentLog, context: LogContext, hooks: ParkedHooks) {
    this.#log = log
    this.#context = context
    this.#hooks = hooks
  }

  /** How many messages are parked. */
  get count(): number {
    return this.#count
  }

  /** Their payload bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The topics with something parked in a lane. */
  topics(lane: LaneIndex): Iterable<string> {
    return this.#topics[lane].keys()
  }

  /** How many messages of a topic are parked. */
  countOf(lane: LaneIndex, topic: string): number {
    return this.#topics[lane].get(topic)?.length ?? 0
  }

  /** Takes up a record that was found at the start. */
  restore(position: number, { topic, origin: { lane, sequence }, bytes, expiresAtMs }: FoundParked): void {
    const expiry = expiresAtMs === undefined ? undefined : expiryAt(expiresAtMs, this.#context.clock)
    const nobody = { settled: undefined, ticket: undefined, entry: undefined, gone: false }
    this.#add({ lane, topic, sequence, bytes, expiry, position, ...nobody })
  }

  /** Parks an entry that the pump has taken. */
  park(entry: Entry): void {
    const known = this.#taken.get(entry)
    this.#taken.delete(entry)
    const { message, lane, sequence, bytes, expiry, settled, ticket } = entry
    let position = known?.position
    if (position === undefined) {
      const origin = { lane, sequence }
      position = this.#log.append(message, { expiresAtMs: expiry?.atMs, origin })
      this.#hooks.after(position, 'lane', lane, sequence, bytes)
    }
    const { topic } = message
    const place = { lane, topic, sequence, bytes, position, gone: false }
    const item: Item = { ...place, expiry, settled, ticket, entry: undefined }
    if (this.#heldBytes + bytes <= MAX_BYTES) this.#hold(item, entry)
    this.#add(item)
  }

  /** The first parked entry of a topic; `undefined` where there is none, or it is being read. */
  peek(lane: LaneIndex, topic: string): Entry | undefined {
    const queue = this.#topics[lane].get(topic)
    const first = queue?.peek()
    if (queue !== undefined && first !== undefined && first.entry === undefined) this.#load(queue)
    return first?.entry
  }

  /** Takes it. */
  take(lane: LaneIndex, topic: string): Entry | undefined {
    const item = this.#topics[lane].get(topic)?.peek()
    const entry = item?.entry
    if (item === undefined || entry === undefined) return undefined
    this.#shift(lane, topic)
    this.#taken.set(entry, item)
    return entry
  }

  /** Ends an entry, if it came from here. */
  end(entry: Entry): boolean {
    if (this.#taken.size === 0) return false
    const item = this.#taken.get(entry)
    if (item === undefined) return false
    this.#taken.delete(entry)
    this.#log.ack(item.position, item.bytes)
    return true
  }

  /** As `end()`, once the dead letter is safe: gives where it lies. */
  forget(entry: Entry): number | undefined {
    const item = this.#taken.get(entry)
    this.#taken.delete(entry)
    return item?.position
  }

  /** Drops the first message of the topic that has been parked longest. */
  drop(lane: LaneIndex, dropped: Dropped): boolean {
    for (const topic of this.#topics[lane].keys()) {
      const item = this.#shift(lane, topic)
      if (item === undefined) continue
      this.#over(item, dropped)
      return true
    }
    return false
  }

  /** Drops what has expired or was withdrawn; gives the earliest deadline left. */
  sweep(lane: LaneIndex, monotonicMs: number, dropped: Dropped): number {
    let earliest = Infinity
    for (const [topic, queue] of this.#topics[lane]) {
      const { over, earliestMs } = queue.sweep(monotonicMs)
      if (queue.length === 0) this.#topics[lane].delete(topic)
      for (const item of over) {
        item.gone = true
        this.#count -= 1
        this.#bytes -= item.bytes
        if (item.entry !== undefined) this.#heldBytes -= item.bytes
        this.#over(item, dropped)
      }
      earliest = Math.min(earliest, earliestMs)
    }
    return earliest
  }

  /** Empties the first segment by copying what is parked in it, when most of the side log is over. */
  async compact(): Promise<void> {
    const [segment] = this.#log.segments
    const live = this.#log.pendingBytes + this.#log.pending * 128
    if (segment === undefined || this.#log.segments.length < 2) return
    // small ones are not worth it
    if (this.#log.diskBytes < live * 2 + Math.min(this.#context.segmentBytes, MIN_COMPACT_BYTES)) return
    const items = new Map<number, Item>()
    const end = this.#log.endOf(segment)
    for (const lane of LANES) {
      for (const queue of this.#topics[lane].values()) {
        for (let index = 0; index < queue.length; index += 1) {
          const item = queue.at(index)
          if (item !== undefined && item.position < end) items.set(item.position, item)
        }
      }
    }
    await this.#scan(segment, SEGMENT_HEADER_BYTES, (position, record) => {
      const item = items.get(position)
      // what was taken meanwhile stays where it is, put back or not: a later round finds it there
      if (item === undefined || item.gone || item.position !== position) return
      const { expiresAtMs, origin, message } = record
      item.position = this.#log.append(message, { expiresAtMs, origin })
      this.#hooks.after(item.position, 'parked', item.lane, position, item.bytes)
    })
  }

  /** Ends it; gives who still follows a message. */
  async close(): Promise<Entry[]> {
    this.#closed = true
    await this.#loading
    const left: Entry[] = []
    for (const lane of LANES) {
      for (const queue of this.#topics[lane].values()) {
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) left.push(entryOf(item))
      }
    }
    return left
  }

  #add(item: Item): void {
    const topics = this.#topics[item.lane]
    let queue = topics.get(item.topic)
    if (queue === undefined) {
      queue = new SequenceQueue<Item>()
      topics.set(item.topic, queue)
    }
    queue.add(item)
    this.#count += 1
    this.#bytes += item.bytes
  }

  #hold(item: Item, entry: Entry): void {
    item.entry = entry
    this.#heldBytes += item.bytes
  }

  #shift(lane: LaneIndex, topic: string): Item | undefined {
    const queue = this.#topics[lane].get(topic)
    const item = queue?.shift()
    if (queue?.length === 0) this.#topics[lane].delete(topic)
    if (item === undefined) return undefined
    item.gone = true
    this.#count -= 1
    this.#bytes -= item.bytes
    if (item.entry !== undefined) this.#heldBytes -= item.bytes
    return item
  }

  #over(item: Item, dropped: Dropped): void {
    this.#log.ack(item.position, item.bytes)
    dropped(1, item.bytes, entryOf(item))
  }

  #load(queue: SequenceQueue<Item>): void {
    const first = queue.peek()
    if (this.#loading !== undefined || this.#closed || first === undefined) return
    if (first.position > this.#log.safe) return
    this.#loading = this.#read(queue, first)
      .catch((error: unknown) => this.#hooks.failed(error))
      .finally(() => {
        this.#loading = undefined
        if (!this.#closed) this.#hooks.changed()
      })
  }

  async #read(queue: SequenceQueue<Item>, first: Item): Promise<void> {
    const { position } = first
    const wanted = new Map<number, Item>()
    for (let index = 0; index < Math.min(queue.length, READ_AHEAD); index += 1) {
      const item = queue.at(index)
      if (item !== undefined && item.entry === undefined) wanted.set(item.position, item)
    }
    const segment = this.#log.segments.findLast((each) => each.first <= position)
    const from = segment?.index.findLast((each) => each.first <= position)?.position ?? SEGMENT_HEADER_BYTES
    const take = (at: number, { message, expiresAtMs }: LogRecord) => {
      const item = wanted.get(at)
      if (item?.position !== at || item.entry !== undefined || item.gone) return
      if (item !== first && this.#heldBytes + item.bytes > MAX_BYTES) return
      const { lane, settled, ticket, expiry } = item
      const pinned =
        expiry ?? (expiresAtMs === undefined ? undefined : expiryAt(expiresAtMs, this.#context.clock))
      const entry = new Entry(message, lane, pinned, settled, ticket)
      entry.sequence = item.sequence
      this.#hold(item, entry)
    }
    if (segment !== undefined) await this.#scan(segment, from, take, () => first.entry !== undefined)
    // it was copied elsewhere meanwhile, or is gone: the next look finds out
    if (first.entry !== undefined || first.position !== position || first.gone) return
    this.#shift(first.lane, first.topic)
    this.#log.ack(first.position, 0)
    this.#hooks.lost(entryOf(first), 0)
  }

  async #scan(
    segment: Segment,
    from: number,
    onRecord: (position: number, record: LogRecord) => void,
    isDone: () => boolean = () => false,
  ): Promise<void> {
    const file = await this.#context.disk.open(segment.path, 'read')
    try {
      const scanner = new FrameScanner(file, segment.nonce, from)
      for (;;) {
        const frames = await scanner.read(segment.size)
        if (frames.length === 0 || this.#closed) return
        for (const frame of frames) eachRecord(this.#context, frame, this.#log.endOf(segment), onRecord)
        if (isDone()) return
      }
    } finally {
      await file.close()
    }
  }
}

/** Shows each record of a frame that lies before `end`. */
export function eachRecord(
  context: Pick<LogContext, 'cipher'>,
  frame: Frame,
  end: number,
  onRecord: (sequence: number, record: LogRecord) => void,
): void {
  const body = openBody(context, frame)
  if (body === undefined) return
  let at = 0
  for (let index = 0; index < frame.count && frame.first + index < end; index += 1) {
    const record = decodeRecord(body, at)
    at = record.end
    onRecord(frame.first + index, record)
  }
}

function entryOf({ lane, settled, ticket, entry }: Item): Entry {
  return entry ?? standIn(lane, settled, ticket)
}
