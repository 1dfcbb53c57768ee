import { isUtf8 } from 'node:buffer'

import type { KeyEntry, KeyFault, KeyFile, KeyGroup } from '../../kit/key-file.ts'
import { parseKeyFile } from '../../kit/key-file.ts'
import { readYaml } from '../yaml.ts'

/** Whether DeepStream reads a file as YAML: by its name. */
export function isYamlName(name: string): boolean {
  return /\.ya?ml$/i.test(name)
}

/**
 * Reads a file of groups and keys in the grammar that its name tells: a key file, or YAML with the groups as maps of
 * texts. Never throws.
 */
export function readSettings(name: string, bytes: Uint8Array): KeyFile {
  if (isYamlName(name)) return readYamlSettings(bytes)
  if (!isUtf8(bytes)) return failed({ line: 1, column: 1, text: 'the file is not UTF-8, save it as UTF-8' })
  return parseKeyFile(new TextDecoder().decode(bytes))
}

function readYamlSettings(bytes: Uint8Array): KeyFile {
  const { data, places, problems } = readYaml(bytes, { textsOnly: true })
  const faults: KeyFault[] = problems.map(({ line, column, message }) => ({ line, column, text: message }))
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return faults.length > 0
      ? { ...EMPTY, faults }
      : failed({ line: 1, column: 1, text: 'the file has no groups' })
  }
  const groups = new Map<string, KeyGroup>()
  for (const [name, members] of Object.entries(data)) {
    const entries = new Map<string, KeyEntry>()
    groups.set(name, { name, ...places.key([name]), entries })
    if (typeof members !== 'object' || members === null) continue
    for (const [key, value] of Object.entries(members)) {
      const path = [name, key]
      const { line, column } = places.key(path)
      if (typeof value !== 'string' && value !== null) {
        faults.push({ line, column, text: `"${name}.${key}" is no text, write a list as a;b;c` })
        continue
      }
      entries.set(key, {
        key,
        raw: value ?? '',
        escaped: false,
        line,
        column,
        valueColumn: places.value(path).column,
      })
    }
  }
  return { groups, faults, overruled: [] }
}

const EMPTY: KeyFile = { groups: new Map(), faults: [], overruled: [] }

function failed(fault: KeyFault): KeyFile {
  return { ...EMPTY, faults: [fault] }
}
