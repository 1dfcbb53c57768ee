import { Command } from 'commander'

import type { Config, ConnectionConfig, Problem } from '../config/index.ts'
import type { Peer } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { describePeer, LONGEST_CONNECT_MS } from './connect-flags.ts'
import type { CliIo } from './io.ts'
import { written } from './io.ts'
import { asBackhaulError, errorFields, oneLine } from './print-error.ts'
import { durationArgument } from './usage.ts'

const EXAMPLES = `
Everything that is wrong is written to stdout, each with file, line and column, and the nearest known name. With --connect each
connection is dialled once; what was negotiated is written too, or what is wrong and what mends it. A trial connection uses the
client id of the file: an agent that runs with it at that moment has to dial again.

Examples:
  backhaul check edge.yaml
  backhaul check edge.yaml --connect --deadline 5s
  backhaul check edge.yaml --json | jq .problems`

interface CheckFlags {
  readonly connect?: boolean
  readonly deadline: number
  readonly json?: boolean
  readonly input?: string
}

/** What a trial connection came to. */
type Trial =
  | { readonly connection: string; readonly peer: Peer }
  | { readonly connection: string; readonly error: BackhaulError }

/** `backhaul check FILE` */
export function checkCommand(io: CliIo): Command {
  return new Command('check')
    .summary('check a configuration file')
    .description('Find everything that is wrong with a configuration file, and try its connections.')
    .argument('<file>', 'configuration file')
    .option('--connect', 'make a trial connection to each broker')
    .option('--deadline <time>', 'how long a trial connection may take', durationArgument, 10_000)
    .option('--input <input>', 'of a DeepStream file: where detections come from')
    .option('--json', 'one JSON object with all of it')
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: CheckFlags) => check(io, file, flags))
}

async function check(io: CliIo, file: string, flags: CheckFlags): Promise<void> {
  const [{ lintConfig, formatProblem }, { resolveTarget }] = await Promise.all([
    import('../config/index.ts'),
    import('../client/index.ts'),
  ])
  const { config, problems, name } = await lintConfig(file, {
    env: io.env,
    resolve: resolveTarget,
    input: flags.input,
  })
  if (flags.json !== true) {
    for (const problem of problems) await written(io.stdout, `${oneLine(formatProblem(name, problem))}\n`)
    if (config !== undefined) await written(io.stdout, `${name}: ${summary(config)}\n`)
  }
  const trials = config !== undefined && flags.connect === true ? await tryAll(config, flags.deadline) : []
  if (flags.json === true)
    await written(io.stdout, `${JSON.stringify(asJson(name, config, problems, trials))}\n`)
  else for (const trial of trials) await written(io.stdout, `${trialText(trial)}\n`)

  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (errors > 0) {
    const count = errors === 1 ? 'a mistake' : `${errors} mistakes`
    throw new BackhaulError('INVALID_CONFIG', `Cannot use "${name}": it has ${count}, mend what stdout lists`)
  }
  for (const trial of trials) if ('error' in trial) throw trial.error
}

function summary(config: Config): string {
  const { connections, inputs, routes, commands } = config
  const counts = [
    [Object.keys(connections).length, 'connection'],
    [Object.keys(inputs).length, 'input'],
    [routes.length, 'route'],
    [commands.length, 'command subscription'],
  ] as const
  return `ok, ${counts.map(([count, noun]) => `${count} ${noun}${count === 1 ? '' : 's'}`).join(', ')}`
}

/** All at once: a broker that does not answer holds nobody else up. */
function tryAll(config: Config, deadlineMs: number): Promise<Trial[]> {
  return Promise.all(
    Object.entries(config.connections).map(([name, connection]) =>
      tryConnection(name, connection, deadlineMs),
    ),
  )
}

async function tryConnection(name: string, connection: ConnectionConfig, deadlineMs: number): Promise<Trial> {
  const { connect } = await import('../client/index.ts')
  const { url, outbox: _, ...options } = connection
  try {
    const client = await connect(url, {
      ...options,
      connectTimeoutMs: Math.min(deadlineMs, LONGEST_CONNECT_MS),
    })
    const status = client.current
    await client.close({ drainTimeoutMs: 0 })
    if (status.state === 'connected') return { connection: name, peer: status.peer }
    throw new BackhaulError(
      'LINK_LOST',
      `Cannot keep the connection "${name}": it ended at once, see the log of the broker`,
    )
  } catch (error) {
    return { connection: name, error: asBackhaulError(error) }
  }
}

function trialText(trial: Trial): string {
  return 'peer' in trial
    ? `${trial.connection}: connected, ${describePeer(trial.peer)}`
    : `${trial.connection}: ${trial.error.code}: ${oneLine(trial.error.message)}`
}

function asJson(
  file: string,
  config: Config | undefined,
  problems: readonly Problem[],
  trials: readonly Trial[],
): Record<string, unknown> {
  return {
    file,
    ok: config !== undefined && trials.every((trial) => 'peer' in trial),
    problems,
    connections: trials.map((trial) =>
      'peer' in trial ? trial : { connection: trial.connection, error: errorFields(trial.error) },
    ),
  }
}
