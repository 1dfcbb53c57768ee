import { connect } from '../../src/client/index.ts'
import type { Account } from '../../src/contract/index.ts'
import type { Findings } from './findings.ts'
import { compare, quantile, readPayload } from './findings.ts'
import type { Sent } from './load.ts'
import { Load } from './load.ts'
import type { Arrival, Fault, OutageSite } from './site.ts'

/** How long an outage is, in messages that are accepted meanwhile. */
export interface Course {
  /** Messages a second. */
  readonly ratePerSecond: number
  /** Accepted before the outage. */
  readonly before: number
  /** Accepted while the broker is away. */
  readonly during: number
  /** Accepted once an independent client was served again. */
  readonly after: number
}

/** What one outage came to. */
export interface OutageResult extends Findings {
  /** What `send()` threw. */
  readonly errors: readonly unknown[]
  /** The account at the end, once everything was delivered. */
  readonly account: Account
  /** From the independent client's first acknowledgement to the first arrival of a message that was sent after it. */
  readonly flowMs: number
  /** How long all but one of a hundred `send()` took at most before the outage, in milliseconds. */
  readonly sendBeforeP99Ms: number
  /** The longest that `send()` took while the broker was away, ... */
  readonly sendMaxMs: number
  /** ... and how long all but one of a hundred took at most. */
  readonly sendP99Ms: number
}

const DRAIN_MS = 120_000

/** Sends at a steady rate through a durable outbox while the broker goes away and comes back. */
export async function runOutage(
  site: OutageSite,
  fault: Fault,
  course: Course,
  folder: string,
): Promise<OutageResult> {
  const topic = await site.topic(`${fault}-${Date.now().toString(36)}`)
  const client = await connect(site.url, { ...site.options, outbox: { path: folder, minFreeBytes: 0 } })
  try {
    using load = new Load(client, { topic, ratePerSecond: course.ratePerSecond })
    await load.more(course.before)
    const goneAtMs = Date.now()
    await site.begin(fault)
    await load.more(course.during)
    const answering = site.answers()
    await site.end(fault)
    await answering
    const backAtMs = Date.now()
    await load.more(course.after)
    await load.stop()
    await client.drain(AbortSignal.timeout(DRAIN_MS))
    const arrivals = await site.arrivals(topic, load.accepted)
    const times = sendTimes(load.sent, goneAtMs, backAtMs)
    return {
      ...compare(load.sent, arrivals),
      errors: load.errors,
      account: client.account,
      flowMs: flowMs(arrivals, backAtMs),
      sendBeforeP99Ms: quantile(sendTimes(load.sent, 0, goneAtMs), 0.99),
      sendMaxMs: Math.max(...times),
      sendP99Ms: quantile(times, 0.99),
    }
  } finally {
    await client.close({ drainTimeoutMs: 0 })
  }
}

/** How long `send()` took for what was sent between two moments. */
function sendTimes(sent: readonly Sent[], fromMs: number, toMs: number): number[] {
  return sent.flatMap(({ atMs, acceptedAfterMs }) => (atMs >= fromMs && atMs < toMs ? [acceptedAfterMs] : []))
}

function flowMs(arrivals: readonly Arrival[], backAtMs: number): number {
  const live = arrivals.find(({ text }) => readPayload(text).atMs >= backAtMs)
  return live === undefined ? Infinity : live.atMs - backAtMs
}
