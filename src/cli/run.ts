import { once } from 'node:events'
import { homedir } from 'node:os'
import process from 'node:process'

import { Command, Option } from 'commander'

import type { Agent, LogLevel } from '../agent/index.ts'
import { deferred } from '../kit/deferred.ts'
import { interrupted } from './interrupted.ts'
import type { CliIo } from './io.ts'
import { oneLine } from './print-error.ts'
import { durationArgument } from './usage.ts'

const EXAMPLES = `
The log goes to stderr, one JSON object a line. The agent starts whether or not its brokers are there. It ends by itself, with
0, once all its inputs have ended and everything is delivered; with an input that never ends it runs until SIGTERM or
SIGINT, which make it finish what it has (at most --drain) and end with 0. A second signal ends it at once.
SIGUSR2 writes its health to the log.

What waits for a broker is kept on disk: where the file says so, else under $BACKHAUL_STATE, $STATE_DIRECTORY (systemd),
/var/lib/backhaul (root) or ~/.local/state/backhaul.

Examples:
  backhaul check edge.yaml && backhaul run edge.yaml
  detector | backhaul run test5_config.txt
  detector | backhaul run edge.yaml --log-level warn
  kill -USR2 $(pidof backhaul)`

interface RunFlags {
  readonly logLevel?: LogLevel
  readonly drain: number
  readonly input?: string
}

/** `backhaul run FILE` */
export function runCommand(io: CliIo): Command {
  return new Command('run')
    .summary('run the agent')
    .description(
      'Run the agent: inputs, routes, connections and commands as a configuration file names them.',
    )
    .argument('<file>', 'configuration file')
    .addOption(
      new Option('--log-level <level>', 'how much the log tells, in place of what the file says').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .option(
      '--input <input>',
      'of a DeepStream file: where detections come from: stdin, unix:PATH, tcp:PORT, file:PATH',
    )
    .option('--drain <time>', 'when told to stop, wait so long for what is pending', durationArgument, 10_000)
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: RunFlags) => run(io, file, flags))
}

async function run(io: CliIo, file: string, flags: RunFlags): Promise<void> {
  const [{ createAgent, createLogger, stateFolder }, { loadConfig, formatProblem }, { resolveTarget }] =
    await Promise.all([
      import('../agent/index.ts'),
      import('../config/index.ts'),
      import('../client/index.ts'),
    ])
  const { config, warnings, dialect } = await loadConfig(file, {
    env: io.env,
    resolve: resolveTarget,
    input: flags.input,
  })
  for (const warning of warnings) io.stderr.write(`${oneLine(formatProblem(file, warning))}\n`)
  const logger = createLogger(io.stderr, flags.logLevel ?? config.log.level)
  const folder = stateFolder(io.env, homedir(), process.getuid?.() === 0)
  const agent = createAgent(config, { logger, stdin: io.stdin, stateFolder: folder })
  const offHealth = io.onSignal(['SIGUSR2'], () => agent.logHealth())
  const told = toldToStop(io)
  let isSuccess = false
  try {
    await agent.start()
    await untilTheEnd(agent, told.first)
    isSuccess = true
  } finally {
    await Promise.race([agent.stop({ drainTimeoutMs: flags.drain }), told.second])
    told.end()
    offHealth()
    // what the original says at its end, and people look for
    if (dialect === 'deepstream') io.stdout.write(`App run ${isSuccess ? 'successful' : 'failed'}\n`)
  }
}

/** Waits for the end of a finite agent, or for the first signal. */
async function untilTheEnd(agent: Agent, told: AbortSignal): Promise<void> {
  try {
    if (agent.finite) await agent.finished(told)
    else await aborted(told)
  } catch (error) {
    if (!told.aborted) throw error
  }
}

/** SIGTERM and SIGINT: the first aborts `first`; the second rejects `second`. */
function toldToStop(io: CliIo): { first: AbortSignal; second: Promise<never>; end: () => void } {
  const first = new AbortController()
  const second = deferred<never>()
  second.promise.catch(() => undefined) // only a stop that is under way cares
  const end = io.onSignal(['SIGTERM', 'SIGINT'], () => {
    if (first.signal.aborted) second.reject(interrupted())
    else first.abort(interrupted())
  })
  return { first: first.signal, second: second.promise, end }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
