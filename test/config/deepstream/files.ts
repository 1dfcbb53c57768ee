import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'

import { resolveTarget } from '../../../src/client/index.ts'
import type { LintResult } from '../../../src/config/index.ts'
import { formatProblem, lintConfig } from '../../../src/config/index.ts'

/** Where DeepStream has its libraries. */
export const LIB = '/opt/nvidia/deepstream/deepstream/lib'

/** The static properties of one camera. */
export const PROPERTIES_FILE = `[sensor0]
enable=1
type=Camera
id=HWY_20
location=45.29;-75.83;48.15
description=Aniso Camera
coordinate=5.2;10.1;11.2

[place0]
enable=1
id=1
type=intersection/road
name=HWY_20
location=30.32;-40.55;100.0
coordinate=1.0;2.0;3.0
place-sub-field1=C_127_158
place-sub-field2=Lane 1
place-sub-field3=P2

[analytics0]
enable=1
id=XYZ_1
description=Vehicle Detection
source=OpenALR
version=1.0
`

/** A key file as the YAML that says the same. */
export function asYaml(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const group = /^\[(.+)\]$/.exec(line)?.[1]
      if (group !== undefined) return `${group}:`
      const pair = /^([^#=]+?) *= *(.*)$/.exec(line)
      return pair === null ? line : `  ${pair[1]}: ${pair[2]}`
    })
    .join('\n')
}

/** Writes files into a new folder, which goes at the end of the test, and gives the folder. */
export async function folderOf(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-deepstream-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

/** What a configuration file and the files beside it come to. */
export async function lint(
  t: TestContext,
  name: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<LintResult & { readonly lines: readonly string[]; readonly folder: string }> {
  const folder = await folderOf(t, files)
  const result = await lintConfig(join(folder, name), { resolve: resolveTarget, env, deviceId: 'edge-1' })
  const lines = result.problems.map((problem) => formatProblem(name, problem).replaceAll(`${folder}/`, ''))
  return { ...result, lines, folder }
}

/** A sink of type 6 that sends minimal messages by MQTT, with lines of its own. */
export function sink(lines: string, connection = 'localhost;1883'): string {
  return `[sink0]
enable=1
type=6
msg-broker-proto-lib=${LIB}/libnvds_mqtt_proto.so
msg-broker-conn-str=${connection}
${lines}`
}
