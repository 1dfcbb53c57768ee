import process from 'node:process'
import { setImmediate as turn } from 'node:timers/promises'

import type { Capabilities, Message } from '../../src/contract/index.ts'
import { DELIVERED } from '../../src/contract/index.ts'
import { ulids } from '../../src/kit/ulid.ts'
import type { Publish } from '../../src/outbox/index.ts'
import { MemoryStore, Pump } from '../../src/outbox/index.ts'

// What the pump itself costs: messages per CPU second from add() to the settled callback, with a link that settles at once
// or in the next turn of the event loop. Run: node build/bench/outbox/pump.js [messages]

const messages = Number(process.argv[2] ?? 1_000_000)
const BURST = 500
const ROUNDS = 3

const capabilities: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: false,
  patterns: false,
  groups: false,
  durableSubscriptions: false,
  redelivers: false,
  parallelLinks: true,
  maxPayloadBytes: 1_000_000,
  maxBatchBytes: 256 * 1024,
  maxInFlight: 2000,
}

const settlesAtOnce: Publish = (batch, settle) => {
  for (let index = 0; index < batch.length; index += 1) settle(index, DELIVERED)
}

const settlesNextTurn: Publish = (batch, settle) => {
  setImmediate(() => {
    for (let index = 0; index < batch.length; index += 1) settle(index, DELIVERED)
  })
}

const payload = new Uint8Array(200)
const nextId = ulids()
const pool: Message[] = Array.from({ length: BURST }, (_, index) => ({
  id: nextId(),
  topic: 'bench/topic',
  payload,
  key: `sensor ${index % 16}`,
  headers: undefined,
}))

interface Scenario {
  readonly name: string
  readonly publish: Publish
  readonly burst: number
  readonly capabilities?: Partial<Capabilities>
  readonly expires?: boolean
}

const scenarios: readonly Scenario[] = [
  { name: 'settles at once, bursts of 500', publish: settlesAtOnce, burst: BURST },
  { name: 'settles next turn, bursts of 500', publish: settlesNextTurn, burst: BURST },
  { name: 'settles next turn, bursts of 10', publish: settlesNextTurn, burst: 10 },
  { name: 'settles at once, one by one', publish: settlesAtOnce, burst: 1 },
  { name: 'with an age limit', publish: settlesNextTurn, burst: BURST, expires: true },
  {
    name: 'one in flight per key',
    publish: settlesNextTurn,
    burst: BURST,
    capabilities: { keepsOrderAfterFailure: false },
  },
]

async function run(scenario: Scenario): Promise<number> {
  const pump = new Pump({ publish: scenario.publish, store: new MemoryStore() })
  pump.linkUp({ ...capabilities, ...scenario.capabilities })
  let done = 0
  const settled = () => {
    done += 1
  }
  const options = scenario.expires === true ? { expiresAtMs: Date.now() + 3_600_000 } : {}
  const before = process.cpuUsage()
  for (let sent = 0; sent < messages; sent += scenario.burst) {
    // the loop gets its turn as often as with a socket that is read
    if (sent % BURST === 0) await turn()
    else await Promise.resolve()
    for (let index = 0; index < scenario.burst; index += 1) {
      const message = pool[index]
      const full = message === undefined ? undefined : pump.add(message, options, settled)
      if (full !== undefined) await full
    }
  }
  await pump.drain()
  const { user, system } = process.cpuUsage(before)
  await pump.close()
  if (done < messages) throw new Error(`${done} of ${messages} messages were settled`)
  return (user + system) / messages
}

for (const scenario of scenarios) {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round += 1) best = Math.min(best, await run(scenario))
  const rate = Math.round(1000 / best)
  console.log(
    `${scenario.name.padEnd(36)} ${best.toFixed(3)} µs of CPU a message, ${rate} k messages per CPU second`,
  )
}
