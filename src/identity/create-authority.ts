import type { Authority, AuthorityOptions } from './authority.ts'

/**
 * Makes a self-signed certificate authority with a new key.
 *
 * What makes certificates is large and is loaded here, so that a client, which makes none, does not pay for it.
 *
 * @throws BackhaulError `INVALID_OPTIONS` when the options make no sense.
 */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const authority = await import('./authority.ts')
  return authority.createAuthority(options)
}
