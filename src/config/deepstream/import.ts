/**
 * A configuration of `deepstream-app` or `deepstream-test5-app`, as a key file or in YAML, turned into ours: the sinks of
 * type 6 become connections and routes, the message consumers become connections and commands. Everything keeps the place
 * in the file that it came from, so that whatever is found wrong with it later is told there.
 */
import { hostname } from 'node:os'

import type { KeyGroup } from '../../kit/key-file.ts'
import { nearest } from '../../kit/nearest.ts'
import type { Problem } from '../problem.ts'
import type { Path, Places } from '../source.ts'
import { csvSources } from './csv-sources.ts'
import { Draft } from './draft.ts'
import { importConsumer } from './consumers.ts'
import type { GroupKind } from './keys.ts'
import { GROUP_KEYS, isMessagingKey, kindOf, knownKeys } from './keys.ts'
import { SettingsReader } from './reader.ts'
import { importSink } from './sinks.ts'

/** What an import uses of its surroundings. */
export interface ImportSurroundings {
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where detections come from: `stdin`, `unix:PATH`, `tcp:PORT` or `file:PATH`. @default 'stdin' */
  readonly input?: string | undefined
  /** The folder in which the program was started. */
  readonly workingFolder: string
  /** The name of this device. @default the host's name */
  readonly deviceId?: string | undefined
}

/** A configuration of ours that came from one of DeepStream. */
export interface Imported {
  /** The tree, as our own YAML would give it; `undefined` where the file cannot be read at all. */
  readonly data: unknown
  /** Where everything came from. */
  readonly places: Places
  /** What is wrong, and what has no effect. */
  readonly problems: readonly Problem[]
  /** In words, where a part came from: for comments. */
  readonly origins: readonly { readonly path: Path; readonly text: string }[]
}

/** Imports a configuration of DeepStream. Never throws. */
export function importDeepStream(
  name: string,
  bytes: Uint8Array,
  surroundings: ImportSurroundings,
): Imported {
  const reader = new SettingsReader(name, bytes, surroundings.workingFolder)
  const draft = new Draft(surroundings)
  if (reader.file.faults.length > 0) {
    return { data: undefined, places: draft.places, problems: reader.problems, origins: [] }
  }
  const groups = checkGroups(reader)
  draft.begin(deviceName(surroundings.deviceId ?? hostname()))
  draft.input(reader)
  readSources(reader, groups, draft)
  const converter = groups.find(
    ({ kind, group }) => kind === 'message-converter' && reader.flag(group, 'enable'),
  )
  for (const { group } of groups.filter(({ kind }) => kind === 'sink')) {
    importSink(reader, group, converter?.group, draft)
  }
  for (const { group } of groups.filter(({ kind }) => kind === 'message-consumer')) {
    if (reader.flag(group, 'enable')) importConsumer(reader, group, draft)
  }
  if (draft.isEmpty) {
    reader.add(
      START,
      'the file has no enabled [sinkN] of type 6 and no enabled [message-consumerN], enable one',
    )
  }
  return { data: draft.data, places: draft.places, problems: reader.problems, origins: draft.origins }
}

const START = { line: 1, column: 1 }

interface Kinded {
  readonly group: KeyGroup
  readonly kind: GroupKind
}

/** Sorts the groups, objects to unknown keys, and tells once what is left alone. */
function checkGroups(reader: SettingsReader): Kinded[] {
  const kinded: Kinded[] = []
  const leftAlone: string[] = []
  for (const group of reader.file.groups.values()) {
    const kind = kindOf(group.name)
    if (group.name.startsWith('message-') && (kind === undefined || kind === 'video'))
      unknownGroup(reader, group)
    else if (kind === undefined || kind === 'video') {
      leftAlone.push(group.name)
      messagingKeys(reader, group)
    } else {
      kinded.push({ group, kind })
      checkKeys(reader, group, kind)
      if (!group.entries.has('csv-file-path') || kind !== 'source') continue
      const sources = csvSources(reader, group)
      kinded.push(...sources.map((source) => ({ group: source, kind })))
      // all rows have the same keys
      const [first] = sources
      if (first !== undefined) checkKeys(reader, first, kind)
    }
  }
  if (leftAlone.length > 0) {
    reader.warn(START, `the groups ${leftAlone.join(', ')} do not concern messaging and have no effect`)
  }
  return kinded
}

function unknownGroup(reader: SettingsReader, group: KeyGroup): void {
  const known = ['message-converter', 'message-consumer0']
  const near = nearest(group.name, known)
  const hint = near === undefined ? `known are [${known.join('], [')}]` : `did you mean [${near}]?`
  reader.add(group, `the group [${group.name}] is unknown, ${hint}`, { suggestion: near })
}

/** Keys of messaging in groups of other things: mistyped, or in the wrong place. */
function messagingKeys(reader: SettingsReader, group: KeyGroup): void {
  for (const entry of group.entries.values()) {
    if (!isMessagingKey(entry.key)) continue
    const home = entry.key.startsWith('msg-') ? '[sinkN] or [message-converter]' : '[sourceN]'
    reader.add(entry, `"${entry.key}" does not belong into [${group.name}], put it into ${home}`)
  }
}

function checkKeys(reader: SettingsReader, group: KeyGroup, kind: GroupKind): void {
  // of a group that is not enabled the original reads nothing
  if (kind !== 'source-list' && kind !== 'source' && !reader.flag(group, 'enable')) return
  if (kind === 'sink' && reader.integer(group, 'type') !== BROKER_SINK) {
    messagingKeysOfSink(reader, group)
    return
  }
  const known = knownKeys(kind)
  const { idle, video }: { idle: Readonly<Record<string, string>>; video: readonly string[] } =
    GROUP_KEYS[kind]
  const isMessage = kind.startsWith('message-')
  for (const entry of group.entries.values()) {
    const why = Object.hasOwn(idle, entry.key) ? idle[entry.key] : undefined
    if (why !== undefined) reader.warn(entry, `"${entry.key}" has no effect: ${why}`)
    else if (!known.includes(entry.key)) {
      const near = nearest(entry.key, known)
      const hint = near === undefined ? 'leave it out' : `did you mean "${near}"?`
      const severity = isMessage || isMessagingKey(entry.key) ? 'error' : 'warning'
      reader.add(entry, `"${entry.key}" is unknown in [${group.name}], ${hint}`, {
        severity,
        suggestion: near,
      })
    }
  }
  const used = [...group.entries.keys()].filter((key) => video.includes(key))
  if (kind !== 'sink' && used.length > 0) {
    reader.warn(group, `of [${group.name}] ${used.join(', ')} have no effect: video is not read here`)
  }
}

/** The number of a sink that converts and sends messages. */
const BROKER_SINK = 6

function messagingKeysOfSink(reader: SettingsReader, group: KeyGroup): void {
  const known = knownKeys('sink')
  for (const entry of group.entries.values()) {
    if (!isMessagingKey(entry.key) || known.includes(entry.key)) continue
    const near = nearest(entry.key, known)
    const hint = near === undefined ? 'leave it out' : `did you mean "${near}"?`
    reader.add(entry, `"${entry.key}" is unknown in [${group.name}], ${hint}`, { suggestion: near })
  }
  reader.warn(group, `[${group.name}] is no sink of type 6, which messages need, and has no effect`)
}

/** The numbers of sensors: by the list of their ids, and by the number of their group where `camera-id` is another. */
function readSources(reader: SettingsReader, groups: readonly Kinded[], draft: Draft): void {
  for (const { group, kind } of groups) {
    if (kind === 'source-list') {
      for (const [index, id] of reader.list(group, 'sensor-id-list').entries()) draft.sensors.set(id, index)
      if (reader.flag(group, 'dummy-payload')) draft.dummyObject = true
    }
    if (kind !== 'source' || (!reader.flag(group, 'enable') && !group.entries.has('csv-file-path'))) continue
    const number = /^source(\d+)$/.exec(group.name)?.[1]
    if (number === undefined && group.name !== 'source') {
      reader.add(group, `the group [${group.name}] has no number at its end, write for example [source0]`)
    }
    const camera = reader.integer(group, 'camera-id')
    if (number !== undefined && camera !== undefined && camera >= 0) draft.sensors.set(number, camera)
  }
}

/** A name that may stand in a topic. */
function deviceName(text: string): string {
  const plain = text.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 128)
  return /^[A-Za-z0-9]/.test(plain) ? plain : `device${plain}`.slice(0, 128)
}
