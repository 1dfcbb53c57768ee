import type { KeyEntry, KeyGroup } from '../../kit/key-file.ts'
import type { Position } from '../problem.ts'
import type { SettingsReader } from './reader.ts'

/**
 * The sources of a CSV file, which the group `source` of a YAML configuration names: its first row has the names of keys, each other one is a
 * source. They come as the groups `[source0]`, `[source1]`, ... of a key file would; what is wrong with them is told where the CSV is named.
 */
export function csvSources(reader: SettingsReader, group: KeyGroup): KeyGroup[] {
  const path = reader.path(group, 'csv-file-path')
  const at = reader.valueAt(group, 'csv-file-path')
  const bytes = path === undefined ? undefined : reader.bytes(path, at, 'csv-file-path')
  if (bytes === undefined) return []
  const [head = [], ...rows] = new TextDecoder()
    .decode(bytes)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((column) => column.trim()))
  if (rows.length === 0)
    reader.add(at, `${path} has no source: write names of keys in its first row, and a source in each other`)
  return rows.map((row, index) => sourceOf(`source${index}`, head, row, at))
}

function sourceOf(name: string, head: readonly string[], row: readonly string[], at: Position): KeyGroup {
  const entries = new Map<string, KeyEntry>()
  for (const [index, key] of head.entries()) {
    const raw = row[index] ?? ''
    if (raw !== '') entries.set(key, { key, raw, escaped: false, ...at, valueColumn: at.column })
  }
  return { name, line: at.line, column: at.column, entries }
}
