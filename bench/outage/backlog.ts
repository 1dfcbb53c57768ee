import { setTimeout as sleep } from 'node:timers/promises'

import type { Client } from '../../src/client/index.ts'
import { connect } from '../../src/client/index.ts'
import type { Findings } from '../../test/outage/findings.ts'
import { compare, quantile, readPayload } from '../../test/outage/findings.ts'
import { Load } from '../../test/outage/load.ts'
import type { OutageSite } from '../../test/outage/site.ts'

const BATCH = 1000
const ALARMS_PER_SECOND = 50
const DRAIN_MS = 300_000
/** No more than so many alarms are on their way: the rest of what is pending is the backlog. */
const ALARMS_PENDING = 20

/** What draining a backlog came to. */
export interface BacklogResult extends Findings {
  /** Messages a second, from the return of the broker until all were acknowledged. */
  readonly ratePerSecond: number
  /** How many alarms were sent meanwhile. */
  readonly alarms: number
  /** How long all but one of a hundred of them took from `send()` to their arrival, in milliseconds, ... */
  readonly alarmP99Ms: number
  /** ... and the slowest. */
  readonly alarmMaxMs: number
}

/** Fills an outbox while the broker is away, and drains it while alarms are sent. */
export async function runBacklog(site: OutageSite, messages: number, folder: string): Promise<BacklogResult> {
  const stamp = Date.now().toString(36)
  const topic = await site.topic(`backlog-${stamp}`)
  const alarmTopic = await site.topic(`alarms-${stamp}`)
  await site.begin('stopped')
  const client = await connect(site.url, { ...site.options, outbox: { path: folder, minFreeBytes: 0 } })
  try {
    const sent = await fill(client, topic, messages)
    const answering = site.answers()
    await site.end('stopped')
    await answering
    const backAtMs = performance.now()
    using alarms = new Load(client, {
      topic: alarmTopic,
      ratePerSecond: ALARMS_PER_SECOND,
      priority: 'alarm',
    })
    const deadline = performance.now() + DRAIN_MS
    while (client.account.pending > ALARMS_PENDING && performance.now() < deadline) await sleep(10)
    const endMs = performance.now()
    await alarms.stop()
    await client.drain(AbortSignal.timeout(DRAIN_MS))
    const waits = (await site.arrivals(alarmTopic, alarms.accepted)).map(
      ({ text, atMs }) => atMs - readPayload(text).atMs,
    )
    if (waits.length < alarms.accepted) throw new Error('alarms were lost')
    return {
      ...compare(sent, await site.arrivals(topic, messages)),
      ratePerSecond: (messages * 1000) / (endMs - backAtMs),
      alarms: alarms.accepted,
      alarmP99Ms: quantile(waits, 0.99),
      alarmMaxMs: Math.max(...waits),
    }
  } finally {
    await client.close({ drainTimeoutMs: 0 })
  }
}

async function fill(client: Client, topic: string, messages: number): Promise<{ n: number; id: string }[]> {
  const sent: { n: number; id: string }[] = []
  while (sent.length < messages) {
    const from = sent.length
    const batch = Array.from({ length: Math.min(BATCH, messages - from) }, (_, index) => {
      const key = `key-${(from + index) % 100}`
      return { topic, key, payload: `${from + index} ${key} ${Date.now()} `.padEnd(200, '.') }
    })
    const receipts = await client.sendMany(batch)
    for (const [index, { id }] of receipts.entries()) sent.push({ n: from + index, id })
  }
  return sent
}
