import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { AccessList } from './broker.ts'

const ROUNDS = 101

/** Who gets in, and who may do what. */
export interface MosquittoAccess {
  /** Passwords by user. Given: nobody gets in without (client certificates aside). @default everybody gets in */
  readonly users?: Readonly<Record<string, string>>
  /**
   * Rights by user or common name of the client certificate. A refused publish is dropped (3.1.1) or answered (5);
   * a refused subscription is granted and brings nothing: this is the way of Mosquitto's access file.
   * @default everybody may do everything
   */
  readonly acl?: AccessList
  /** Answers refused subscriptions too, by Mosquitto's own plugin for access. @default false */
  readonly refusesSubscriptions?: boolean
}

/** Writes the files of the access rights into a folder and gives the lines of the configuration that name them. */
export async function accessSettings(
  folder: string,
  { users, acl, refusesSubscriptions = false }: MosquittoAccess,
): Promise<Record<string, string | boolean>> {
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const lines: Record<string, string | boolean> = { allow_anonymous: users === undefined }
  if (refusesSubscriptions) {
    lines['plugin'] = findPlugin()
    lines['plugin_opt_config_file'] = await write('access.json', pluginConfig(users ?? {}, acl ?? {}))
    return lines
  }
  if (users !== undefined) lines['password_file'] = await write('passwords', passwordLines(users))
  if (acl !== undefined) lines['acl_file'] = await write('acl', aclLines(acl))
  return lines
}

/** Writes the file of the rights anew; Mosquitto reads it when it gets SIGHUP. */
export async function writeRights(folder: string, acl: AccessList): Promise<void> {
  await writeFile(join(folder, 'acl'), aclLines(acl), { mode: 0o600 })
}

function hashOf(password: string): { readonly salt: string; readonly hash: string } {
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, ROUNDS, 64, 'sha512')
  return { salt: salt.toString('base64'), hash: hash.toString('base64') }
}

/** Lines as `mosquitto_passwd` writes them. */
function passwordLines(users: Readonly<Record<string, string>>): string {
  const lines = Object.entries(users).map(([user, password]) => {
    const { salt, hash } = hashOf(password)
    return `${user}:$7$${ROUNDS}$${salt}$${hash}\n`
  })
  return lines.join('')
}

/** The rights of the anonymous one stand before those of the first user. */
function aclLines(acl: AccessList): string {
  const rules = (identity: string) => (acl[identity] ?? []).map((rule) => `topic ${rule}`)
  const named = Object.keys(acl).filter((identity) => identity !== '')
  return [...rules(''), ...named.flatMap((identity) => [`user ${identity}`, ...rules(identity)]), ''].join(
    '\n',
  )
}

function pluginConfig(users: Readonly<Record<string, string>>, acl: AccessList): string {
  const identities = [...new Set([...Object.keys(users), ...Object.keys(acl)])].filter((name) => name !== '')
  const clients = identities.map((username) => {
    const password = users[username]
    const { salt, hash } = hashOf(password ?? '')
    return {
      username,
      roles: [{ rolename: username }],
      ...(password !== undefined && { password: hash, salt, iterations: ROUNDS }),
    }
  })
  const roles = identities.map((rolename) => ({ rolename, acls: (acl[rolename] ?? []).flatMap(pluginRules) }))
  const defaultACLAccess = {
    publishClientSend: false,
    publishClientReceive: true,
    subscribe: false,
    unsubscribe: true,
  }
  return JSON.stringify({ defaultACLAccess, clients, roles })
}

function pluginRules(rule: string): readonly object[] {
  const [right = '', topic = ''] = rule.split(' ')
  const kinds = { read: ['subscribePattern'], write: ['publishClientSend'] }
  const acltypes = [
    ...(right.startsWith('read') ? kinds.read : []),
    ...(right.endsWith('write') ? kinds.write : []),
  ]
  return acltypes.map((acltype) => ({ acltype, topic, allow: true }))
}

function findPlugin(): string {
  const libraries = '/usr/lib'
  const folders = existsSync(libraries) ? readdirSync(libraries) : []
  const paths = ['', ...folders].map((folder) => join(libraries, folder, 'mosquitto_dynamic_security.so'))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined)
    throw new Error('Cannot start Mosquitto: its plugin for dynamic security is missing')
  return found
}
