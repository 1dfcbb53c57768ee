import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import fc from 'fast-check'

import type { Entry, LaneIndex } from '../../../src/outbox/entry.ts'
import type { LogStore } from '../../../src/outbox/log/log-store.ts'
import type { Fsync } from '../../../src/outbox/log/segment.ts'
import type { ManualClock } from '../../support/manual-clock.ts'
import { closeStore, entryOf, holds, openStore, takeAll } from './set-up.ts'
import { SimDisk } from './sim-disk.ts'

/** `npm run test:stress` asks for more. */
const RUNS = Number(process.env['POWER_CUTS'] ?? 200)

type Step =
  | { readonly do: 'add'; readonly lane: LaneIndex; readonly count: number; readonly bytes: number }
  | { readonly do: 'take'; readonly lane: LaneIndex; readonly count: number }
  | { readonly do: 'end' | 'dead' | 'park'; readonly pick: number }
  | { readonly do: 'unpark'; readonly lane: LaneIndex }
  | { readonly do: 'turn'; readonly turns: number }
  | { readonly do: 'wait' }

interface Sent {
  readonly n: number
  readonly lane: LaneIndex
  /** It was reported safe. */
  safe: boolean
  /** It came to an end: it may come again, and need not. */
  ended: boolean
}

/** What was sent over all lives of a store, and what became of it. */
class Oracle {
  readonly sent = new Map<string, Sent>()
  taken: Entry[] = []

  async step(store: LogStore, clock: ManualClock, step: Step): Promise<void> {
    if (step.do === 'add') this.#add(store, step)
    else if (step.do === 'take') {
      for (let n = 0; n < step.count; n += 1) {
        if (store.peek(step.lane) === undefined) break
        const entry = store.take(step.lane)
        if (entry !== undefined) this.taken.push(entry)
      }
    } else if (step.do === 'unpark') {
      const [topic] = store.parkedTopics(step.lane)
      if (topic !== undefined && store.peekParked(step.lane, topic) !== undefined) {
        const entry = store.takeParked(step.lane, topic)
        if (entry !== undefined) this.taken.push(entry)
      }
    } else if (step.do === 'turn') {
      for (let n = 0; n < step.turns; n += 1) await turn()
    } else if (step.do === 'wait') clock.advance(100)
    else this.#finish(store, step.do, step.pick)
  }

  /** Checks that a store holds what it must, in order, and nothing else. */
  async check({ store, told }: Awaited<ReturnType<typeof openStore>>, isExact: boolean): Promise<void> {
    assert.ok(holds(store.opening), 'the account holds')
    if (isExact) assert.equal(store.report.damaged, 0, 'a power cut damages nothing')
    const { waiting, parked } = await takeAll(store)
    const there = new Set<string>()
    for (const entries of waiting) {
      let last = -1
      for (const { message } of entries) {
        const sent = this.sent.get(message.id)
        assert.ok(sent !== undefined, `${message.id} was sent`)
        assert.ok(sent.n > last, `${message.id} is in order`)
        last = sent.n
        there.add(message.id)
      }
    }
    for (const { message } of parked) {
      assert.ok(!there.has(message.id), `${message.id} is in one place`)
      there.add(message.id)
    }
    for (const entry of [...waiting.flat(), ...parked]) {
      const { id, payload } = entry.message
      assert.equal(Buffer.from(payload).toString('latin1', 0, id.length), id, 'bytes are unaltered')
    }
    assert.equal(there.size + told.damaged, store.opening.pending, 'what is pending is there')
    if (isExact) assert.equal(told.damaged, 0)
    for (const [id, sent] of this.sent) {
      const { safe, ended } = sent
      if (isExact) assert.ok(!safe || ended || there.has(id), `${id} was safe and is there`)
      else sent.safe &&= there.has(id)
    }
  }

  #add(store: LogStore, { lane, count, bytes }: Extract<Step, { do: 'add' }>): void {
    const added: Sent[] = []
    for (let n = 0; n < count; n += 1) {
      if (!store.hasRoom(bytes)) break
      const id = `m${this.sent.size}`
      const sent = { n: this.sent.size, lane, safe: false, ended: false }
      this.sent.set(id, sent)
      added.push(sent)
      store.append(entryOf(id, { lane, bytes, topic: `t${this.sent.size % 3}` }))
    }
    store.safe()?.then(
      () => {
        for (const sent of added) sent.safe = true
      },
      () => undefined,
    )
  }

  #finish(store: LogStore, what: 'end' | 'dead' | 'park', pick: number): void {
    const [entry] = this.taken.splice(pick % Math.max(1, this.taken.length), 1)
    if (entry === undefined) return
    if (what === 'park') {
      store.park(entry)
      return
    }
    const sent = this.sent.get(entry.message.id)
    if (sent !== undefined) sent.ended = true
    store.remove(entry, what === 'end' ? 'delivered' : 'dead')
  }
}

const lane = fc.constantFrom<LaneIndex>(0, 2, 2, 2)
const count = fc.integer({ min: 1, max: 12 })
const large = fc.integer({ min: 2, max: 4 })
const pick = fc.nat(50)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), lane, count, bytes: fc.nat(1500) }) },
  // so much that it is written while the sync of what came before runs
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      lane,
      count: large,
      bytes: fc.integer({ min: 20_000, max: 40_000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), lane, count }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('end' as const, 'end', 'dead', 'park'), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unpark' as const), lane }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('turn' as const), turns: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'wait' as const }) },
)
const life = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
  calls: fc.integer({ min: 5, max: 200 }),
  chances: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 24 }),
  isKill: fc.boolean(),
  syncTurns: fc.nat(4),
})

async function live(fsync: Fsync, lives: readonly (typeof life extends fc.Arbitrary<infer T> ? T : never)[]) {
  const oracle = new Oracle()
  let disk = new SimDisk()
  let isWhole = true
  for (const { steps, calls, chances, isKill, syncTurns } of lives) {
    const { store, clock } = await openStore(disk, { fsync, segmentBytes: 6000 })
    disk.callsLeft = calls
    disk.syncTurns = syncTurns
    oracle.taken = []
    for (const each of steps) {
      if (!disk.hasPower) break
      await oracle.step(store, clock, each)
    }
    disk.callsLeft = 0
    let n = 0
    const chance = () => chances[(n += 1) % chances.length] ?? 0
    const after = isKill ? disk.afterKill() : disk.afterPowerCut(chance)
    await closeStore(store)
    const found = await openStore(after.copy())
    isWhole &&= fsync === 'always' || isKill
    await oracle.check(found, isWhole)
    await closeStore(found.store)
    disk = after
  }
}

/** Once failed: the copy of a parked message survives a cut that takes the message itself. */
const EARLIER: Parameters<typeof live>[1] = [
  {
    steps: [
      { do: 'add', lane: 2, count: 1, bytes: 0 },
      { do: 'turn', turns: 1 },
      { do: 'take', lane: 2, count: 1 },
      { do: 'park', pick: 0 },
      { do: 'turn', turns: 1 },
      { do: 'add', lane: 0, count: 1, bytes: 0 },
    ],
    calls: 10,
    chances: [0, 0, 0, 0, 0, 1e-126, 0, 0],
    isKill: false,
    syncTurns: 0,
  },
  {
    steps: [{ do: 'add', lane: 0, count: 1, bytes: 0 }],
    calls: 5,
    chances: [0, 0, 0, 0, 0, 0, 0, 0],
    isKill: false,
    syncTurns: 0,
  },
]

/** Once failed: a killed process left a file whose name was not safe, and the next one relied on it. */
const KILLED: Parameters<typeof live>[1] = [
  {
    steps: [
      { do: 'add', lane: 2, count: 1, bytes: 0 },
      { do: 'turn', turns: 1 },
      { do: 'take', lane: 2, count: 1 },
      { do: 'park', pick: 0 },
      { do: 'add', lane: 2, count: 1, bytes: 0 },
      { do: 'turn', turns: 1 },
      { do: 'end', pick: 0 },
    ],
    calls: 13,
    chances: [0, 0, 0, 0, 0, 0, 0, 0],
    isKill: true,
    syncTurns: 0,
  },
  {
    steps: [
      { do: 'take', lane: 2, count: 1 },
      { do: 'turn', turns: 1 },
      { do: 'take', lane: 2, count: 1 },
      { do: 'park', pick: 0 },
      { do: 'turn', turns: 1 },
    ],
    calls: 8,
    chances: [0, 0, 0, 0, 0, 0, 0, 0],
    isKill: false,
    syncTurns: 0,
  },
]

/** What is written while a sync runs is not safe when that sync is over. */
const PIPELINED: Parameters<typeof live>[1] = [
  {
    steps: [
      { do: 'add', lane: 2, count: 1, bytes: 0 },
      { do: 'turn', turns: 1 },
      { do: 'add', lane: 2, count: 3, bytes: 30_000 },
      { do: 'turn', turns: 2 },
    ],
    calls: 8,
    chances: [0, 0, 0, 0, 0, 0, 0, 0],
    isKill: false,
    syncTurns: 1,
  },
]

for (const fsync of ['always', 'interval', 'never'] as const) {
  test(`LogStore loses nothing that was safe when the power is cut, with fsync ${fsync}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), (lives) => live(fsync, lives)),
      {
        examples: [[EARLIER], [KILLED], [PIPELINED]],
        numRuns: fsync === 'always' ? RUNS : Math.ceil(RUNS / 4),
      },
    )
  })
}
