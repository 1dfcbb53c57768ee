import { readFile } from 'node:fs/promises'

import { Argument, Command, Option } from 'commander'

import type { OutboxReport } from '../outbox/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { CliIo } from './io.ts'
import { written } from './io.ts'

const EXAMPLES = `
The folder is that of one outbox: what "outbox.path" names, or STATE/DEVICE/outbox/CONNECTION of an agent.

  stat      how many messages wait, are parked and are dead, and what they take
  verify    reads every byte: what is damaged; ends with 74 when something is
  repair    takes what is damaged out of the account, as "damaged", so that nothing waits for it
  export    every message that is not delivered as JSON, one a line, to carry a backlog by hand
  import    takes such lines from stdin
  list      dead letters or parked messages, as export writes them
  resend    puts dead letters or parked messages back in line: those with the given ids, or --all
  remove    removes them for good

stat, verify, export and list only read. repair, import, resend and remove need an outbox that no process uses.

Examples:
  backhaul outbox verify /var/lib/backhaul/gate-7/outbox/cloud
  backhaul outbox export old/ | backhaul outbox import new/
  backhaul outbox list old/ --of dead
  backhaul outbox resend old/ --of dead --all`

const ACTIONS = ['stat', 'verify', 'repair', 'export', 'import', 'list', 'resend', 'remove'] as const

interface OutboxFlags {
  readonly of: 'dead' | 'parked'
  readonly all?: boolean
  readonly json?: boolean
  readonly keyFile?: string
}

/** `backhaul outbox ACTION FOLDER` */
export function outboxCommand(io: CliIo): Command {
  return new Command('outbox')
    .summary('look at a durable outbox, mend it, carry it')
    .description(
      'Look at the folder of a durable outbox, mend it, carry its messages, send dead letters again.',
    )
    .addArgument(new Argument('<action>', 'what to do').choices(ACTIONS))
    .argument('<folder>', 'folder of the outbox')
    .argument('[ids...]', 'for resend and remove: ids of messages')
    .addOption(
      new Option('--of <which>', 'for list, resend and remove').choices(['dead', 'parked']).default('dead'),
    )
    .option('--all', 'for resend and remove: all of them')
    .option('--key-file <file>', 'keys of an encrypted outbox')
    .option('--json', 'the report as one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((action: (typeof ACTIONS)[number], folder: string, ids: string[], flags: OutboxFlags) =>
      run(io, action, folder, ids, flags),
    )
}

async function run(
  io: CliIo,
  action: (typeof ACTIONS)[number],
  folder: string,
  ids: readonly string[],
  flags: OutboxFlags,
): Promise<void> {
  const { editOutbox, FrameCipher, openLogStore, readOutbox, repairOutbox, verifyOutbox } =
    await import('../outbox/index.ts')
  const { exportMessages, importMessages } = await import('./outbox-transfer.ts')
  const cipher = flags.keyFile === undefined ? undefined : new FrameCipher(await readKeys(flags.keyFile))
  switch (action) {
    case 'stat':
    case 'verify': {
      const report = await verifyOutbox(folder, cipher)
      await written(io.stdout, flags.json === true ? `${JSON.stringify(report)}\n` : reportText(report))
      if (action === 'verify') refuseDamage(report)
      break
    }
    case 'repair': {
      const damaged = await repairOutbox({ folder, cipher })
      await written(io.stdout, `${damaged} messages were damaged and are counted as that\n`)
      break
    }
    case 'export':
      await exportMessages(io, readOutbox(folder, ['control', 'alarm', 'telemetry', 'parked'], cipher))
      break
    case 'import': {
      const count = await importMessages(io, await openLogStore({ folder, cipher }))
      await written(io.stdout, `${count} messages were taken over\n`)
      break
    }
    case 'list':
      await exportMessages(io, readOutbox(folder, [flags.of], cipher))
      break
    case 'resend':
    case 'remove': {
      const wanted = wantedIds(action, ids, flags)
      const count = await editOutbox({ folder, cipher }, action, flags.of, wanted)
      await written(io.stdout, `${count} messages\n`)
      break
    }
  }
}

function wantedIds(
  action: string,
  ids: readonly string[],
  { all }: OutboxFlags,
): ReadonlySet<string> | undefined {
  if (all === true) return undefined
  if (ids.length > 0) return new Set(ids)
  throw new BackhaulError('USAGE', `Cannot ${action}: no message is named, give ids or --all`)
}

function refuseDamage({ logs, damagedCursors }: OutboxReport): void {
  const damaged = logs.reduce((sum, log) => sum + log.damaged, 0)
  if (damaged === 0 && damagedCursors.length === 0) return
  throw new BackhaulError(
    'OUTBOX_FAILED',
    `Cannot find everything in the outbox: ${damaged} messages and ${damagedCursors.length} cursor files are damaged, run backhaul outbox repair`,
  )
}

function reportText({ logs, totals, keyIds }: OutboxReport): string {
  const columns = ['log', 'pending', 'bytes', 'damaged', 'files', 'on disk']
  const rows = logs.map(({ log, pending, pendingBytes, damaged, segments, diskBytes }) =>
    [log, pending, pendingBytes, damaged, segments, diskBytes].map(String),
  )
  const widths = columns.map((name, n) => Math.max(name.length, ...rows.map((row) => row[n]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `${cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  ')}\n`
  const { delivered = 0, dead = 0 } = totals ?? {}
  const dropped: Readonly<Record<string, number>> = totals?.dropped ?? {}
  const drops = Object.entries(dropped).map(([reason, count]) => `${reason} ${count}`)
  return [
    line(columns),
    ...rows.map(line),
    `delivered ${delivered}, dead ${dead}, dropped: ${drops.join(', ')}\n`,
    ...(keyIds.length === 0 ? [] : [`encrypted with ${keyIds.join(', ')}\n`]),
  ].join('')
}

async function readKeys(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new BackhaulError('FILE_UNREADABLE', `Cannot read the key file "${file}": check the path`, error)
  }
}
