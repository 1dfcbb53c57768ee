import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

/** Every package that loading a file loads with it, by the static imports of the compiled files. */
function packagesOf(entry: URL): string[] {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const open = [entry]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file.href)) continue
    seen.add(file.href)
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export)\s(?:[^;'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm,
    )) {
      if (specifier.startsWith('.')) open.push(new URL(specifier, file))
      else if (!specifier.startsWith('node:')) packages.add(specifier)
    }
  }
  assert.ok(seen.size > 5, 'the search has found the files')
  return [...packages]
}

test('backhaul --help loads commander and no other package, so it is there at once', () => {
  assert.deepEqual(packagesOf(new URL('../../src/cli/main.js', import.meta.url)), ['commander'])
})

test('packagesOf() sees what a file loads', () => {
  assert.ok(packagesOf(new URL('../../src/agent/index.js', import.meta.url)).includes('pino'))
})
