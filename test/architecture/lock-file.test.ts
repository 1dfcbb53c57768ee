import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { projectRoot } from './source.ts'

interface LockedPackage {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

test('the lock file names every package that another one needs, those of other platforms too', async () => {
  const lock: { packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
    await readFile(join(projectRoot, 'package-lock.json'), 'utf8'),
  )
  const { packages } = lock
  const missing: string[] = []
  for (const [path, { dependencies, optionalDependencies }] of Object.entries(packages)) {
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (!locked(packages, path, name)) missing.push(`${name}, which ${path} needs`)
    }
  }
  // npm ci of npm 11 refuses a lock file without them
  assert.deepEqual(missing, [])
})

/** Whether `name` is found from `path`, as Node.js looks it up: in the folder itself, then in each one above. */
function locked(packages: Readonly<Record<string, LockedPackage>>, path: string, name: string): boolean {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const found = packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]
    if (found?.version !== undefined) return true
    if (folder === '') return false
  }
}
