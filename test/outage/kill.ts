import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { connect } from '../../src/client/index.ts'
import type { Findings } from './findings.ts'
import { compare } from './findings.ts'
import type { OutageSite } from './site.ts'

const SENDER = fileURLToPath(new URL('sender.js', import.meta.url))
const DRAIN_MS = 60_000

/**
 * The broker is away, the sending process is killed, another one takes its outbox up, and the broker comes back.
 *
 * @param messages - how many are accepted before the process is killed
 */
export async function runKill(site: OutageSite, messages: number, folder: string): Promise<Findings> {
  const topic = await site.topic(`kill-${Date.now().toString(36)}`)
  await site.begin('stopped')
  const reported = await sendAndDie(site, topic, messages, folder)
  const client = await connect(site.url, { ...site.options, outbox: { path: folder, minFreeBytes: 0 } })
  try {
    await site.end('stopped')
    await client.drain(AbortSignal.timeout(DRAIN_MS))
    return compare(reported, await site.arrivals(topic, reported.length))
  } finally {
    await client.close({ drainTimeoutMs: 0 })
  }
}

async function sendAndDie(
  site: OutageSite,
  topic: string,
  messages: number,
  folder: string,
): Promise<{ n: number; id: string }[]> {
  const args = [SENDER, site.url, JSON.stringify(site.options), folder, topic, '1000']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const reported: { n: number; id: string }[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const [n = '', id = ''] = line.split(' ')
    reported.push({ n: Number(n), id })
    if (reported.length === messages) child.kill('SIGKILL')
  }
  await ended
  return reported
}
