import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

/**
 * Memory of `backhaul run` with one connection and one TCP input, after `quietMs` milliseconds in which nothing happens.
 *
 * @returns resident set size in bytes, as the kernel counts it
 */
export async function idleAgentRss(url: string, quietMs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-bench-'))
  const file = join(folder, 'agent.yml')
  await writeFile(
    file,
    `version: 1
device: { id: bench }
connections: { cloud: { url: '${url}' } }
inputs: { lines: { type: tcp, port: 0 } }
routes: [{ from: lines, to: cloud, topic: bench/idle, payload: raw }]
`,
  )
  const agent = spawn(process.execPath, [CLI, 'run', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const gone = once(agent, 'exit')
  try {
    await connected(agent.stderr)
    await delay(quietMs)
    const status = await readFile(`/proc/${agent.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024
  } finally {
    agent.kill()
    await gone
    await rm(folder, { recursive: true })
  }
}

async function connected(log: NodeJS.ReadableStream): Promise<void> {
  const lines: string[] = []
  for await (const line of createInterface({ input: log })) {
    lines.push(line)
    if (line.includes('connected')) return
  }
  throw new Error(`the agent did not connect:\n${lines.join('\n')}`)
}
