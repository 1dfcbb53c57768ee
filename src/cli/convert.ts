import process from 'node:process'

import { Command } from 'commander'

import { BackhaulError } from '../contract/index.ts'
import type { CliIo } from './io.ts'
import { written } from './io.ts'
import { oneLine } from './print-error.ts'

const EXAMPLES = `
Reads a configuration file of deepstream-app or deepstream-test5-app, .txt or .yml, with the files that it names, and writes the
same thing as a configuration of Backhaul to stdout. Comments say where each part came from. What is wrong, and what has no
effect, is written to stderr. Passwords in the environment (USER_MQTT, PASSWORD_MQTT, ...) become references.

Examples:
  backhaul convert test5_config.txt > edge.yaml && backhaul check edge.yaml
  backhaul convert test5_config.txt --input unix:/run/detector.sock`

interface ConvertFlags {
  readonly input?: string
  readonly device?: string
}

/** `backhaul convert FILE` */
export function convertCommand(io: CliIo): Command {
  return new Command('convert')
    .summary('turn a DeepStream configuration into ours')
    .description('Turn a configuration file of DeepStream into one of Backhaul.')
    .argument('<file>', 'configuration file of DeepStream')
    .option('--input <input>', 'where detections come from: stdin, unix:PATH, tcp:PORT, file:PATH')
    .option('--device <id>', 'name of this device; otherwise that of the host')
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: ConvertFlags) => convert(io, file, flags))
}

async function convert(io: CliIo, file: string, { input, device }: ConvertFlags): Promise<void> {
  const { convertDeepStream, formatProblem } = await import('../config/index.ts')
  const { yaml, problems } = convertDeepStream(file, {
    env: io.env,
    input,
    deviceId: device,
    workingFolder: process.cwd(),
  })
  for (const problem of problems) io.stderr.write(`${oneLine(formatProblem(file, problem))}\n`)
  if (yaml === undefined) {
    throw new BackhaulError(
      'INVALID_CONFIG',
      `Cannot convert "${file}": it has mistakes, mend what is listed`,
    )
  }
  await written(io.stdout, yaml)
}
