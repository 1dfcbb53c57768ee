import { literal } from '../../kit/deepstream/broker-reader.ts'
import type { KeyGroup } from '../../kit/key-file.ts'
import { importBroker } from './brokers.ts'
import type { Draft } from './draft.ts'
import type { SettingsReader } from './reader.ts'
import { readSettings } from './settings.ts'
import { booleanOf, textOf } from '../../kit/key-file.ts'

const KEYS = { library: 'proto-lib', connection: 'conn-str', config: 'config-file' }

/** Turns a message consumer into a connection and an entry of commands. */
export function importConsumer(reader: SettingsReader, group: KeyGroup, draft: Draft): void {
  const topics = reader.list(group, 'subscribe-topic-list')
  const at = reader.valueAt(group, 'subscribe-topic-list')
  if (topics.length === 0) reader.add(at, `[${group.name}] has no subscribe-topic-list, name a topic`)
  if (topics.some((topic) => /<[a-z0-9 -]+>/i.test(topic))) {
    reader.add(at, `"subscribe-topic-list" of [${group.name}] is still a placeholder, name a topic`)
    return
  }
  const sensors = readSensorList(reader, group)
  const broker = importBroker(reader, group, KEYS, draft)
  if (broker === undefined || topics.length === 0) return
  if (broker.library?.subscribes === false) {
    reader.add(
      reader.valueAt(group, KEYS.library),
      `"proto-lib" of [${group.name}] names a library that cannot subscribe`,
    )
    return
  }
  const path = ['commands', draft.commands]
  const { group: members } = broker.target
  draft.command(group, {
    connection: broker.name,
    topics: topics.map((topic) => literal(topic)),
    format: 'deepstream',
    ...(members !== undefined && { group: members }),
    ...(sensors !== undefined && { sensors }),
  })
  draft.from([...path, 'topics'], group, group.entries.get('subscribe-topic-list'))
  draft.from([...path, 'sensors'], group, group.entries.get('sensor-list-file'))
}

/** The number of each enabled sensor by its id. */
function readSensorList(reader: SettingsReader, group: KeyGroup): Record<string, number> | undefined {
  const path = reader.path(group, 'sensor-list-file')
  if (path === undefined) return undefined
  const at = reader.valueAt(group, 'sensor-list-file')
  const bytes = reader.bytes(path, at, 'sensor-list-file')
  if (bytes === undefined) return undefined
  const { groups, faults } = readSettings(path, bytes)
  const add = (place: { line: number; column: number }, text: string) =>
    reader.add(at, `${path}:${place.line}:${place.column}: ${text}`)
  for (const fault of faults) add(fault, fault.text)
  const sensors: Record<string, number> = {}
  for (const sensor of groups.values()) {
    const number = /^sensor(\d{1,9})$/.exec(sensor.name)?.[1]
    const enable = sensor.entries.get('enable')
    if (number === undefined || enable === undefined) continue
    const isEnabled = booleanOf(enable)
    if ('fault' in isEnabled) add(enable, `"enable" ${isEnabled.fault}`)
    if (!('value' in isEnabled) || !isEnabled.value) continue
    const entry = sensor.entries.get('id')
    const id = entry && textOf(entry)
    if (entry === undefined || id === undefined || 'fault' in id || id.value.trim() === '') {
      add(entry ?? sensor, `[${sensor.name}] has no id, give it one`)
    } else if (Object.hasOwn(sensors, id.value.trim())) {
      add(entry, `the id of [${sensor.name}] is given twice, choose another`)
    } else sensors[id.value.trim()] = Number(number)
  }
  return sensors
}
