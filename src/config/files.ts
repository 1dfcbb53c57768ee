import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Config } from './model.ts'
import { unreadable } from './references.ts'
import type { Path } from './source.ts'

/** A file that a configuration names. */
export interface NamedFile {
  /** Where it is named. */
  readonly path: Path
  /** The file as it is written. */
  readonly file: string
}

type Connection = Pick<Config['connections'][string], 'adaptor' | 'tls' | 'auth'> & {
  readonly outbox?: Config['connections'][string]['outbox'] | undefined
}
type Outbox = Config['connections'][string]['outbox']
type Tls = NonNullable<Connection['tls']>
type Auth = NonNullable<Connection['auth']>

const TLS_LISTS = ['ca', 'crl'] as const
const TLS_FILES = ['cert', 'key', 'pfx', 'passphraseFile'] as const

/** Every file that a connection names: TLS material that is not given as text, passphrase and password. */
export function connectionFiles({ tls, auth, outbox }: Connection): NamedFile[] {
  const files: NamedFile[] = []
  const add = (path: Path, file: string | undefined) => {
    if (file !== undefined && !isPem(file)) files.push({ path, file })
  }
  for (const option of TLS_LISTS) {
    const list = tls?.[option]
    if (Array.isArray(list)) for (const [index, file] of list.entries()) add(['tls', option, index], file)
    else if (typeof list === 'string') add(['tls', option], list)
  }
  for (const option of TLS_FILES) add(['tls', option], tls?.[option])
  add(['auth', 'passwordFile'], auth?.passwordFile)
  const program = auth?.tokenCommand?.[0]
  if (program?.includes('/') === true) add(['auth', 'tokenCommand', 0], program)
  add(['outbox', 'keyFile'], outbox?.keyFile)
  return files
}

/**
 * Why a file cannot be read, in words; `undefined` when it can.
 *
 * @param written - the file as it is written, where that has references whose values must not show
 */
export function fileFault(file: string, folder: string, written: string | undefined): string | undefined {
  const path = resolve(folder, file)
  try {
    accessSync(path, constants.R_OK)
    return statSync(path).isDirectory() ? unreadable({ code: 'EISDIR' }, written ?? path) : undefined
  } catch (error) {
    return unreadable(error, written ?? path)
  }
}

/** The configuration with every file named by its absolute path. */
export function withAbsoluteFiles(config: Config, folder: string): Config {
  const absolute = (file: string) => (isPem(file) ? file : resolve(folder, file))
  const connections = Object.entries(config.connections).map(([name, connection]) => {
    const { tls, auth } = connection
    const changed = {
      ...connection,
      ...absoluteAdaptor(connection, folder),
      ...(tls !== undefined && { tls: absoluteTls(tls, absolute) }),
      outbox: absoluteOutbox(connection.outbox, folder),
      ...(auth !== undefined && { auth: absoluteAuth(auth, folder) }),
    }
    return [name, changed] as const
  })
  const inputs = Object.entries(config.inputs).map(
    ([name, input]) =>
      [name, 'path' in input ? { ...input, path: resolve(folder, input.path) } : input] as const,
  )
  const routes = config.routes.map((route) => {
    const { converter } = route
    if (converter?.properties === undefined) return route
    return { ...route, converter: { ...converter, properties: resolve(folder, converter.properties) } }
  })
  return {
    ...config,
    routes,
    connections: Object.fromEntries(connections),
    inputs: Object.fromEntries(inputs),
  }
}

/** A custom adaptor that is named by its path, by its absolute path; a package stays. */
export function absoluteAdaptor(
  { adaptor }: Pick<Connection, 'adaptor'>,
  folder: string,
): { adaptor?: string } {
  return adaptor?.includes('/') === true && !adaptor.startsWith('@')
    ? { adaptor: resolve(folder, adaptor) }
    : {}
}

function absoluteOutbox(outbox: Outbox, folder: string): Outbox {
  const { path, keyFile } = outbox
  return {
    ...outbox,
    ...(path !== undefined && { path: resolve(folder, path) }),
    ...(keyFile !== undefined && { keyFile: resolve(folder, keyFile) }),
  }
}

function absoluteAuth(auth: Auth, folder: string): Auth {
  const { passwordFile, tokenCommand } = auth
  const [program = '', ...words] = tokenCommand ?? []
  return {
    ...auth,
    ...(passwordFile !== undefined && { passwordFile: resolve(folder, passwordFile) }),
    ...(program.includes('/') && { tokenCommand: [resolve(folder, program), ...words] }),
  }
}

function absoluteTls(tls: Tls, absolute: (file: string) => string): Tls {
  const changed: Tls = { ...tls }
  for (const option of TLS_LISTS) {
    const list = tls[option]
    if (list !== undefined) changed[option] = Array.isArray(list) ? list.map(absolute) : absolute(list)
  }
  for (const option of TLS_FILES) {
    const file = tls[option]
    if (file !== undefined) changed[option] = absolute(file)
  }
  return changed
}

function isPem(text: string): boolean {
  return text.includes('-----BEGIN ')
}
