import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { createAgent } from '../../src/agent/index.ts'
import { configSchema } from '../../src/config/index.ts'
import type { Action } from '../../src/contract/index.ts'

// An agent to be killed: it notes each command that it carries out in a file. Arguments: address, folder, file of acts.

const [url = '', folder = '', acts = ''] = process.argv.slice(2)

/** Notes that it ran, and takes its time. */
const slow: Action = {
  name: 'slow',
  summary: 'Takes 30 ms',
  run: async ({ id }) => {
    appendFileSync(acts, `${id}\n`)
    await sleep(30)
    return { did: id }
  },
}

/** Ends the process in the middle of its work. */
const crash: Action = {
  name: 'crash',
  summary: 'Kills this process',
  run: ({ id }) => {
    appendFileSync(acts, `${id}\n`)
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => undefined)
  },
}

const config = configSchema.parse({
  version: 1,
  device: { id: 'edge-1' },
  connections: { cloud: { url, outbox: { minFreeBytes: 0 } } },
  commands: [{ connection: 'cloud', topics: 'commands', replyTopic: 'replies' }],
})
const quiet = () => undefined
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
const agent = createAgent(config, { logger, stateFolder: folder, actions: [slow, crash] })
await agent.start()
process.stdout.write('running\n')
process.once('SIGTERM', () => void agent.stop())
