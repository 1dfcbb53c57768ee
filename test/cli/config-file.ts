import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** Writes files into a folder that goes with the test, and gives the path of the first. */
export async function configFile(
  t: TestContext,
  text: string,
  more: Record<string, string> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-cli-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [name, content] of Object.entries(more)) await writeFile(join(folder, name), content)
  const path = join(folder, 'edge.yaml')
  await writeFile(path, text)
  return path
}
