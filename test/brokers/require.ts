import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

/**
 * For `test(name, { skip: without('mosquitto') }, ...)`: false where all commands are installed, otherwise the reason
 * to skip. With `BROKERS=required` in the environment nothing skips: it throws.
 */
export function without(...commands: readonly string[]): string | false {
  const missing = commands.filter((command) => findCommand(command) === undefined)
  if (missing.length === 0) return false
  const reason = `${missing.join(', ')} not installed: run node build/scripts/setup-brokers.js`
  if (process.env['BROKERS'] === 'required') throw new Error(`Cannot test with BROKERS=required: ${reason}`)
  return reason
}

/** The path of an installed command, or `undefined`. Servers live in /usr/sbin, which not every PATH has. */
export function findCommand(command: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
