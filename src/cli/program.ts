import { Command, CommanderError } from 'commander'

import { BackhaulError } from '../contract/index.ts'
import { packageVersion } from '../kit/version.ts'
import { checkCommand } from './check.ts'
import { convertCommand } from './convert.ts'
import { demoCommand } from './demo/command.ts'
import { exitCodeLines } from './exit-codes.ts'
import type { CliIo } from './io.ts'
import { isClosedPipe } from './io.ts'
import { errorText, exitCodeOf } from './print-error.ts'
import { outboxCommand } from './outbox.ts'
import { pubCommand } from './pub.ts'
import { runCommand } from './run.ts'
import { subCommand } from './sub.ts'
import { usageError } from './usage.ts'

const EXAMPLES = `
Examples:
  backhaul demo                                              see everything work, with nothing but Node.js
  backhaul check edge.yaml --connect                         is the file right, and do the brokers let us in?
  backhaul run edge.yaml                                     run the agent
  backhaul run test5_config.txt                              ... as a configuration of DeepStream says
  echo hello | backhaul pub mqtts://broker:8883 site/1 --ca ca.pem --cert me.pem --key me.key
  backhaul sub mqtts://broker:8883 'site/#' --count 10 --json

Exit codes:
${exitCodeLines().join('\n')}

docs/cli.md has all of it.`

/**
 * Runs one command line: parses, carries out, reports errors on `io.stderr`.
 *
 * @param args - without node and the script
 * @returns the exit code. Never rejects.
 */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let command = 'backhaul'
  const program = createProgram(io, (name) => {
    command = name
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (isClosedPipe(error)) return 0
    if (!(error instanceof CommanderError)) return report(error, args, io)
    if (error.exitCode === 0) return 0
    // help that was asked for by saying nothing is on stderr already
    if (error.code === 'commander.help') return exitCodeOf(new BackhaulError('USAGE', ''))
    return report(usageError(error, command), args, io)
  }
}

function report(error: unknown, args: readonly string[], io: CliIo): number {
  io.stderr.write(errorText(error, args.includes('--json')))
  return exitCodeOf(error)
}

function createProgram(io: CliIo, failedIn: (command: string) => void): Command {
  const program = new Command('backhaul')
    .description('Secure, bidirectional messaging between the edge and the cloud.')
    .version(packageVersion())
    .addHelpText('after', EXAMPLES)
  const commands = [
    demoCommand(io),
    runCommand(io),
    checkCommand(io),
    convertCommand(io),
    pubCommand(io),
    subCommand(io),
    outboxCommand(io),
  ]
  for (const command of commands) program.addCommand(command)
  for (const command of [program, ...commands]) {
    const name = command === program ? 'backhaul' : `backhaul ${command.name()}`
    command
      .exitOverride((error) => {
        failedIn(name)
        throw error
      })
      .configureOutput({
        writeOut: (text) => void io.stdout.write(text),
        writeErr: (text) => void io.stderr.write(text),
        // what went wrong is told once, by report()
        outputError: () => undefined,
      })
  }
  return program
}
