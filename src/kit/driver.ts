import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

import { BackhaulError } from '../contract/index.ts'

/**
 * Loads an optional driver: a package that is not installed with Backhaul. It is looked for from Backhaul's own place, then from the
 * working folder, then in the folders that `NODE_PATH` names. What comes back is the package's own: the caller checks it.
 *
 * @param name - the package's name
 * @param range - the version to install
 * @param what - completes "Cannot ..."
 * @throws BackhaulError `DRIVER_MISSING` with the command that installs it
 */
export function requireDriver(name: string, range: string, what: string): unknown {
  let failure: unknown
  for (const place of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(place)(name)
    } catch (error) {
      // that it is there and cannot be loaded says more than that it is not there
      if (failure === undefined || isMissing(failure)) failure = error
    }
  }
  const state = isMissing(failure)
    ? 'is not installed, run npm install'
    : 'cannot be loaded with this Node.js, build it again with npm install --force'
  throw new BackhaulError(
    'DRIVER_MISSING',
    `Cannot ${what}: the package "${name}" ${state} ${name}@${range}`,
    failure,
  )
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND'
}
