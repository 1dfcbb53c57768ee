import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { BackhaulError, Priority } from '../../src/contract/index.ts'
import { PRIORITIES } from '../../src/contract/index.ts'
import type { FullPolicy, Store } from '../../src/outbox/index.ts'
import { MemoryStore, Pump, Ticket } from '../../src/outbox/index.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { Fate } from './model-link.ts'
import { ModelLink } from './model-link.ts'
import { CAPABILITIES, turn } from './scripted-link.ts'
import { LogStore } from '../../src/outbox/log/log-store.ts'
import { openLogStore } from '../../src/outbox/log/open.ts'
import { NO_LOCK } from './log/set-up.ts'
import { SimDisk } from './log/sim-disk.ts'
import { SlowStore } from './slow-store.ts'

interface Case {
  readonly policy: FullPolicy
  readonly kind: 'memory' | 'slow' | 'log'
  readonly parkRefused: boolean
  readonly maxInFlight: number
  readonly endsInOrder: boolean
}

interface Sent {
  readonly n: number
  readonly unit: string
  readonly bytes: number
  readonly expiresAtMs: number
  readonly ticket: Ticket
  state:
    | 'pending'
    | 'waiting'
    | 'turnedAway'
    | 'delivered'
    | 'dead'
    | 'expired'
    | 'full'
    | 'withdrawn'
    | 'closed'
}

const END_OF: Readonly<Record<string, Sent['state']>> = {
  REFUSED: 'dead',
  EXPIRED: 'expired',
  OUTBOX_FULL: 'full',
  CLOSED: 'closed',
  ABORTED: 'withdrawn',
}
const LIMITS = { maxMessages: 12, maxBytes: 400 }

/** The pump beside a plain list of what was sent and how it ended. */
class Model {
  readonly clock: ManualClock
  readonly link = new ModelLink()
  readonly sent = new Map<string, Sent>()
  readonly store: Store
  readonly pump: Pump
  readonly maxInFlight: number
  isUp = false

  constructor({ policy, parkRefused, maxInFlight }: Case, store: Store, clock: ManualClock) {
    this.store = store
    this.clock = clock
    const append = this.store.append.bind(this.store)
    this.store.append = (entry) => {
      append(entry)
      const sent = this.sent.get(entry.message.id)
      if (sent !== undefined) sent.state = 'pending'
    }
    this.maxInFlight = maxInFlight
    this.pump = new Pump({
      publish: this.link.publish,
      store: this.store,
      clock: this.clock,
      limits: { ...LIMITS, policy },
      parkRefused,
    })
  }

  add(topic: string, key: string | undefined, priority: Priority, bytes: number, livesMs: number): void {
    const n = this.sent.size
    const id = `${priority} ${n}`
    const expiresAtMs = livesMs === 0 ? Infinity : this.clock.now() + livesMs
    const unit = `${priority} ${topic}/${key}`
    const sent: Sent = { n, unit, bytes, expiresAtMs, ticket: new Ticket(), state: 'waiting' }
    this.sent.set(id, sent)
    const settled = (error: BackhaulError | undefined) => {
      assert.equal(sent.state, 'pending', `${id} ends once, after it was accepted`)
      sent.state = error === undefined ? 'delivered' : (END_OF[error.code] ?? assert.fail(error.code))
    }
    const message = { id, topic, key, payload: new Uint8Array(bytes), headers: undefined }
    const options = { priority, ticket: sent.ticket, expiresAtMs: livesMs === 0 ? undefined : expiresAtMs }
    try {
      void this.pump.add(message, options, settled)?.catch(() => assert.fail('nobody is sent away'))
    } catch {
      sent.state = 'turnedAway'
    }
  }

  up(keepsOrder: boolean): void {
    if (this.isUp) return
    this.isUp = true
    this.link.keepsOrder = keepsOrder
    this.pump.linkUp({
      ...CAPABILITIES,
      keepsOrderAfterFailure: keepsOrder,
      maxInFlight: this.maxInFlight,
      maxBatchBytes: 60,
    })
  }

  down(): void {
    this.isUp = false
    const late = this.link.end()
    this.pump.linkDown()
    late()
  }

  toggle(topic: string): void {
    // what is on its way when a right comes back may overtake what was refused: no link can help that
    if (this.link.carries(topic)) return
    if (!this.link.denied.delete(topic)) this.link.denied.add(topic)
  }

  withdraw(pick: number): void {
    const chosen = [...this.sent.values()][pick % Math.max(1, this.sent.size)]
    if (chosen !== undefined) this.pump.withdraw(chosen.ticket)
  }

  tick(): void {
    if (this.store instanceof SlowStore) this.store.tick()
  }

  count(...states: Sent['state'][]): number {
    return [...this.sent.values()].filter(({ state }) => states.includes(state)).length
  }

  check(): void {
    const { account } = this.pump
    const pending = [...this.sent.values()].filter(({ state }) => state === 'pending')
    const { full, expired, withdrawn, closed } = account.dropped
    assert.equal(
      account.accepted,
      account.delivered + account.pending + account.dead + full + expired + withdrawn + closed,
      'the account holds',
    )
    assert.equal(account.pending, pending.length)
    assert.equal(
      account.pendingBytes,
      pending.reduce((sum, { bytes }) => sum + bytes, 0),
    )
    assert.equal(account.delivered, this.count('delivered'))
    assert.equal(account.dead, this.count('dead'))
    assert.equal(full, this.count('full', 'turnedAway'))
    assert.equal(expired, this.count('expired'))
    assert.equal(withdrawn, this.count('withdrawn'))
    assert.ok(account.parked <= account.pending)
    assert.ok(account.pending <= LIMITS.maxMessages * 1.5 && account.pendingBytes <= LIMITS.maxBytes * 1.5)
    const { inFlight, faults } = this.link
    assert.deepEqual(faults, [])
    assert.ok(inFlight.length <= this.maxInFlight)
    for (const id of inFlight) assert.equal(this.sent.get(id)?.state, 'pending', `${id} is on its way`)
    for (const { state, expiresAtMs } of this.sent.values()) {
      assert.ok(state !== 'expired' || expiresAtMs <= this.clock.now(), 'nothing expires too early')
    }
    this.#checkOrder()
  }

  /** First arrivals of a topic and key are in order within a class; only what was delivered has arrived. */
  #checkOrder(): void {
    const last = new Map<string, number>()
    for (const id of new Set(this.link.arrived)) {
      const sent = this.sent.get(id)
      assert.ok(sent !== undefined)
      assert.ok(sent.n > (last.get(sent.unit) ?? -1), `${id} arrived in order`)
      last.set(sent.unit, sent.n)
    }
    const arrived = new Set(this.link.arrived)
    for (const [id, { state }] of this.sent) assert.ok(state !== 'delivered' || arrived.has(id))
  }

  /** Lets everything pass that the step made possible, then looks. */
  async settle(): Promise<void> {
    await turn()
    // a store on disk takes a few turns for a commit, and for a read
    if (this.store instanceof LogStore) for (let n = 0; n < 4; n += 1) await turn()
    this.check()
  }
}

/** One thing that happens; a class, so that a failing sequence prints as words. */
class Step {
  readonly words: string
  readonly run: (model: Model) => void

  constructor(words: string, run: (model: Model) => void) {
    this.words = words
    this.run = run
  }

  [fc.toStringMethod](): string {
    return this.words
  }
}

const topic = fc.constantFrom('a', 'b', 'c')
const index = fc.nat(50)
const fate = fc.constantFrom<Fate>(
  'takes',
  'takes',
  'takes',
  'fails',
  'takesAndFails',
  'refuses',
  'refusesLink',
)
const add = fc
  .record({
    topic,
    key: fc.constantFrom('1', '2', undefined),
    priority: fc.constantFrom(...PRIORITIES),
    bytes: fc.integer({ min: 0, max: 50 }),
    livesMs: fc.constantFrom(0, 0, 0, 50, 3000),
    copies: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ topic, key, priority, bytes, livesMs, copies }) => {
    const words = `add ${copies} ${priority} ${topic}/${key} ${bytes} B ${livesMs} ms`
    return new Step(words, (model) => {
      for (let n = 0; n < copies; n += 1) model.add(topic, key, priority, bytes, livesMs)
    })
  })
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: add },
    {
      weight: 8,
      arbitrary: fc
        .tuple(index, fate)
        .map(([at, fate]) => new Step(`work ${at} ${fate}`, ({ link }) => link.work(at, fate))),
    },
    { weight: 8, arbitrary: index.map((at) => new Step(`answer ${at}`, ({ link }) => link.answer(at))) },
    {
      weight: 2,
      arbitrary: fc
        .boolean()
        .map((keepsOrder) => new Step(`up ${keepsOrder}`, (model) => model.up(keepsOrder))),
    },
    { weight: 1, arbitrary: fc.constant(new Step('down', (model) => model.down())) },
    {
      weight: 2,
      arbitrary: topic.map((name) => new Step(`toggle ${name}`, (model) => model.toggle(name))),
    },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(10, 100, 1000, 30_000)
        .map((ms) => new Step(`wait ${ms} ms`, ({ clock }) => clock.advance(ms))),
    },
    { weight: 1, arbitrary: index.map((at) => new Step(`withdraw ${at}`, (model) => model.withdraw(at))) },
    { weight: 3, arbitrary: fc.constant(new Step('tick', (model) => model.tick())) },
  ),
  { minLength: 10, maxLength: 120 },
)
const cases = fc.record({
  policy: fc.constantFrom<FullPolicy>('block', 'dropOldest', 'dropNewest'),
  kind: fc.constantFrom('memory' as const, 'slow', 'log'),
  parkRefused: fc.boolean(),
  maxInFlight: fc.integer({ min: 1, max: 8 }),
  endsInOrder: fc.boolean(),
})

test('Pump keeps its account, its order and its promise through anything a link and a store may do', async () => {
  await fc.assert(
    fc.asyncProperty(cases, steps, async (setting, steps) => {
      const clock = new ManualClock()
      const model = new Model(setting, await storeOf(setting.kind, clock), clock)
      for (const step of steps) {
        step.run(model)
        await model.settle()
      }
      await comeToAnEnd(model, setting.endsInOrder)
    }),
    { numRuns: 300 },
  )
})

function storeOf(kind: Case['kind'], clock: ManualClock): Store | Promise<Store> {
  if (kind === 'memory') return new MemoryStore()
  if (kind === 'slow') return new SlowStore()
  return openLogStore({ folder: '/s', disk: new SimDisk(), lock: NO_LOCK, clock, segmentBytes: 2000 })
}

/** With a healthy link everything that is pending is delivered or becomes too old, and nothing is left behind. */
async function comeToAnEnd(model: Model, keepsOrder: boolean): Promise<void> {
  model.up(keepsOrder)
  const drained = model.pump.drain()
  for (let round = 0; round < 200 && model.count('pending', 'waiting') > 0; round += 1) {
    for (const topic of model.link.denied) model.toggle(topic)
    model.tick()
    model.clock.advance(1000)
    await model.settle()
    for (let n = model.link.inFlight.length; n > 0; n -= 1) {
      model.link.work(0, 'takes')
      model.link.answer(0)
    }
    await model.settle()
  }
  assert.equal(model.count('pending', 'waiting'), 0, 'everything has come to its end')
  await drained
  await model.pump.close()
  assert.equal(model.clock.timers, 0)
}
