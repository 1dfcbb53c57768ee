import { setTimeout as delay } from 'node:timers/promises'

import { AgentProcess } from '../agent-process.ts'

/**
 * Memory of `backhaul run` with one connection and one TCP input, after `quietMs` milliseconds in which nothing happens.
 *
 * @returns resident set size in bytes, as the kernel counts it
 */
export async function idleAgentRss(url: string, quietMs: number): Promise<number> {
  await using agent = await AgentProcess.start(`version: 1
device: { id: bench }
connections: { cloud: { url: '${url}' } }
inputs: { lines: { type: tcp, port: 0 } }
routes: [{ from: lines, to: cloud, topic: bench/idle, payload: raw }]
`)
  await delay(quietMs)
  return agent.rss()
}
