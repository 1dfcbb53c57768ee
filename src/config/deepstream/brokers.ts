import { basename } from 'node:path'

import type { BrokerResult } from '../../kit/deepstream/broker.ts'
import { readBroker } from '../../kit/deepstream/broker.ts'
import type { KeyGroup } from '../../kit/key-file.ts'
import type { Draft } from './draft.ts'
import type { SettingsReader } from './reader.ts'
import { readSettings } from './settings.ts'

/** The keys by which a group describes a connection. */
export interface BrokerKeys {
  /** The adaptor library. */
  readonly library: string
  /** The connection string. */
  readonly connection: string
  /** The adaptor's own file. */
  readonly config: string
}

/** A connection of the draft. */
export interface ImportedBroker extends BrokerResult {
  /** Its name. */
  readonly name: string
}

/** Reads the connection that a group describes and adds it to the draft; `undefined` where an error is in the way. */
export function importBroker(
  reader: SettingsReader,
  group: KeyGroup,
  keys: BrokerKeys,
  draft: Draft,
): ImportedBroker | undefined {
  const library = reader.text(group, keys.library)
  if (library === undefined) {
    reader.add(group, `[${group.name}] has no ${keys.library}, name the library of the broker's protocol`)
    return undefined
  }
  const config = adaptorGroup(reader, group, keys.config)
  if (config === null) return undefined
  const connection = reader.text(group, keys.connection)
  const result = readBroker({
    library,
    connection,
    group: config,
    env: draft.env,
    folder: draft.workingFolder,
  })
  report(reader, group, keys, result)
  const { url, tls, auth, options } = result.target
  if (url === undefined || result.problems.some(({ severity }) => severity === 'error')) return undefined
  const name = draft.connection(group, {
    url,
    ...(Object.keys(tls).length > 0 && { tls }),
    ...(Object.keys(auth).length > 0 && { auth, allowPlaintextCredentials: true }),
    ...(Object.keys(options).length > 0 && { options }),
  })
  if (name !== group.name) return { ...result, name }
  const path = ['connections', name]
  draft.from([...path, 'url'], group, group.entries.get(keys.connection) ?? group.entries.get(keys.library))
  const file = group.entries.get(keys.config)
  for (const block of ['tls', 'auth', 'options']) draft.from([...path, block], group, file)
  return { ...result, name }
}

/** The group `[message-broker]` of the adaptor's file: `undefined` where none is named, `null` where it cannot be used. */
function adaptorGroup(reader: SettingsReader, group: KeyGroup, key: string): KeyGroup | undefined | null {
  const path = reader.path(group, key)
  if (path === undefined) return undefined
  const at = reader.valueAt(group, key)
  const bytes = reader.bytes(path, at, key)
  if (bytes === undefined) return null
  const { groups, faults } = readSettings(path, bytes)
  for (const { line, column, text } of faults) reader.add(at, `${path}:${line}:${column}: ${text}`)
  if (faults.length > 0) return null
  for (const other of groups.values()) {
    if (other.name !== 'message-broker') {
      reader.warn(at, `${path}:${other.line}:${other.column}: the group [${other.name}] has no effect here`)
    }
  }
  const found = groups.get('message-broker')
  if (found !== undefined) return found
  reader.add(at, `${path} has no group [message-broker], put its keys under one`)
  return null
}

function report(reader: SettingsReader, group: KeyGroup, keys: BrokerKeys, { problems }: BrokerResult): void {
  const file = basename(reader.text(group, keys.config) ?? '')
  for (const { severity, part, entry, text, nearest } of problems) {
    const key = keys[part]
    const place =
      entry === undefined
        ? `"${key}" of [${group.name}]`
        : `${file}:${entry.line}:${entry.column}: "${entry.key}"`
    reader.add(reader.valueAt(group, key), `${place} ${text}`, { severity, suggestion: nearest })
  }
}
