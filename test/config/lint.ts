import { resolveTarget } from '../../src/client/index.ts'
import type { LintResult, Problem } from '../../src/config/index.ts'
import { lintConfig } from '../../src/config/index.ts'

/** A configuration without a mistake. */
export const GOOD = `version: 1
device: { id: gate-7 }
connections:
  cloud:
    url: memory:cloud
inputs:
  camera: { type: stdin, schema: detection }
routes:
  - from: camera
    to: cloud
    topic: 'cameras/{sensorId}/detections'
    payload: detection-minimal
commands:
  - connection: cloud
    topics: ['devices/{device}/commands']
    replyTopic: 'devices/{device}/replies'
`

/** What a lint sees beside the text. */
export interface LintFixture {
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>
  /** What paths are relative to. */
  readonly folder?: string
}

/** Lints a text with the client's own check of connections. */
export function lint(
  text: string | Uint8Array,
  { env = {}, folder = '/nowhere' }: LintFixture = {},
): Promise<LintResult> {
  return lintConfig({ text, name: 'agent.yml', folder }, { resolve: resolveTarget, env })
}

/** The problems of a text, each as `line:column message`. */
export async function problemsOf(text: string | Uint8Array, fixture?: LintFixture): Promise<string[]> {
  const { problems } = await lint(text, fixture)
  return problems.map(shown)
}

function shown({ line, column, message }: Problem): string {
  return `${line}:${column} ${message}`
}
