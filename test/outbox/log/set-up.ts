import { setImmediate as turn } from 'node:timers/promises'

import type { Account } from '../../../src/contract/index.ts'
import type { LaneIndex, Settled } from '../../../src/outbox/entry.ts'
import { Entry, LANES } from '../../../src/outbox/entry.ts'
import type { LogStore } from '../../../src/outbox/log/log-store.ts'
import type { LogStoreOptions } from '../../../src/outbox/log/parts.ts'
import { openLogStore } from '../../../src/outbox/log/open.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SimDisk } from './sim-disk.ts'

/** Nobody else is there. */
export const NO_LOCK = async () => ({ release: async () => undefined })

/** What a store told by itself. */
export interface Told {
  changed: number
  damaged: number
  neverSafe: number
}

/** Opens a store on a simulated disk, with a clock that stands still. */
export async function openStore(disk = new SimDisk(), options: Partial<LogStoreOptions> = {}) {
  const clock = new ManualClock()
  const store = await openLogStore({ folder: '/s', disk, clock, lock: NO_LOCK, ...options })
  const told: Told = { changed: 0, damaged: 0, neverSafe: 0 }
  store.attach({
    changed: () => {
      told.changed += 1
    },
    dropped: (_lane, reason, messages) => {
      if (reason === 'damaged') told.damaged += messages
    },
    neverSafe: (messages) => {
      told.neverSafe += messages
    },
  })
  return { store, disk, clock, told }
}

/** A message as an entry; its payload begins with its id. */
export function entryOf(
  id: string,
  {
    bytes = 0,
    lane = 2,
    topic = 't',
    settled,
  }: Partial<Pick<Entry, 'bytes' | 'lane'>> & {
    readonly topic?: string
    readonly settled?: Settled
  } = {},
): Entry {
  const payload = Buffer.alloc(Math.max(bytes, id.length), 'x')
  payload.write(id)
  return new Entry({ id, topic, payload, key: undefined, headers: undefined }, lane, undefined, settled)
}

/** Lets everything happen that needs no clock. */
export async function settle(turns = 3): Promise<void> {
  for (let n = 0; n < turns; n += 1) await turn()
}

/** Lets the cursor be written. */
export async function saveCursor(clock: ManualClock): Promise<void> {
  clock.advance(100)
  await settle()
}

/** The next entry of a lane, when it has been read; `undefined` at the end. */
export async function take(
  store: LogStore,
  lane: LaneIndex,
  wait: () => Promise<unknown> = turn,
): Promise<Entry | undefined> {
  for (let tries = 0; tries < 6; tries += 1) {
    if (store.peek(lane) !== undefined) return store.take(lane)
    await wait()
  }
  return undefined
}

/** The next parked entry of a topic. */
export async function takeParked(
  store: LogStore,
  lane: LaneIndex,
  topic: string,
  wait: () => Promise<unknown> = turn,
): Promise<Entry | undefined> {
  for (let tries = 0; tries < 6 && store.parkedCount(lane, topic) > 0; tries += 1) {
    if (store.peekParked(lane, topic) !== undefined) return store.takeParked(lane, topic)
    await wait()
  }
  return undefined
}

/** Everything that waits, parked or not, by lane and in order; nothing is ended. */
export async function takeAll(
  store: LogStore,
  wait: () => Promise<unknown> = turn,
): Promise<{ waiting: Entry[][]; parked: Entry[] }> {
  const waiting: Entry[][] = []
  const parked: Entry[] = []
  for (const lane of LANES) {
    const entries: Entry[] = []
    for (
      let entry = await take(store, lane, wait);
      entry !== undefined;
      entry = await take(store, lane, wait)
    ) {
      entries.push(entry)
    }
    waiting.push(entries)
    for (const topic of Array.from(store.parkedTopics(lane))) {
      for (let entry = await takeParked(store, lane, topic, wait); entry !== undefined;) {
        parked.push(entry)
        entry = await takeParked(store, lane, topic, wait)
      }
    }
  }
  return { waiting, parked }
}

/** Whether the account's sum holds. */
export function holds({ accepted, delivered, pending, dead, dropped }: Account): boolean {
  const lost = Object.values(dropped).reduce((sum, n) => sum + n, 0)
  return accepted === delivered + pending + dead + lost
}

/** Ends a store whatever happens with what is in it. */
export async function closeStore(store: LogStore): Promise<void> {
  await store.close(() => undefined)
}
