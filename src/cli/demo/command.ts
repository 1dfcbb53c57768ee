import { Command } from 'commander'

import { interrupted } from '../interrupted.ts'
import type { CliIo } from '../io.ts'
import { durationArgument } from '../usage.ts'
import { Screen, wantsColour } from './screen.ts'

const EXAMPLES = `
It makes a throw-away CA, starts a broker that demands client certificates, runs the agent on a recording of real detections
and a second process that plays the cloud. Then it sends a command, cuts the line for three seconds, lets a stranger try, and
tells what was proven. Nothing leaves this machine, and nothing stays. Exit code 0 says that every proof held.

Examples:
  backhaul demo                 see it, then try things with it until Ctrl-C
  backhaul demo --once          end after the verdict, within 30 s
  backhaul demo --duration 5m   go on for five minutes after the verdict`

interface DemoFlags {
  readonly once?: boolean
  readonly duration?: number
}

/** `backhaul demo` */
export function demoCommand(io: CliIo): Command {
  return new Command('demo')
    .summary('see the whole way once, with nothing but Node.js')
    .description(
      'Show the whole way from the edge to the cloud and back, on this machine, and prove that it holds.',
    )
    .option('--once', 'end after the verdict')
    .option('--duration <time>', 'go on for so long after the verdict, for example 5m', durationArgument)
    .addHelpText('after', EXAMPLES)
    .action((flags: DemoFlags) => demo(io, flags))
}

async function demo(io: CliIo, { once = false, duration }: DemoFlags): Promise<void> {
  // loaded when asked for: the other commands do not pay for a broker
  const { goOn, runDemo } = await import('./demo.ts')
  const { programName, showInvitation, showWayOn } = await import('./epilogue.ts')
  const stop = new AbortController()
  const unread = (error: Error): void => stop.abort(error)
  io.stdout.on('error', unread)
  const forget = io.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], () => stop.abort(interrupted()))
  const screen = new Screen(io.stdout, wantsColour(io.stdout, io.env))
  try {
    await runDemo({
      screen,
      signal: stop.signal,
      afterwards: async (cast) => {
        const program = programName()
        showWayOn(screen, program)
        if (once) return
        showInvitation(cast, program)
        await goOn(cast, duration)
        screen.end()
      },
    })
  } finally {
    forget()
    io.stdout.off('error', unread)
  }
}
