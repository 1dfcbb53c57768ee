import { join } from 'node:path'

/**
 * Where an agent keeps what must survive it: `BACKHAUL_STATE`, what systemd gives as `STATE_DIRECTORY`, `/var/lib/backhaul` for
 * root, else `backhaul` in the user's state folder.
 *
 * @param env - the environment
 * @param home - the user's home folder
 * @param isRoot - whether the process runs as root
 */
export function stateFolder(env: NodeJS.ProcessEnv, home: string, isRoot: boolean): string {
  const named = env['BACKHAUL_STATE'] ?? env['STATE_DIRECTORY']?.split(':')[0]
  if (named !== undefined && named !== '') return named
  if (isRoot) return '/var/lib/backhaul'
  return join(env['XDG_STATE_HOME'] ?? join(home, '.local', 'state'), 'backhaul')
}
