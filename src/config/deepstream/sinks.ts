import { basename } from 'node:path'

import type { DeepStreamPayload } from '../../codec/options.ts'
import { literal } from '../../kit/deepstream/broker-reader.ts'
import type { KeyGroup } from '../../kit/key-file.ts'
import { importBroker } from './brokers.ts'
import type { Draft } from './draft.ts'
import { INPUT_NAME } from './draft.ts'
import type { SettingsReader } from './reader.ts'
import { readProperties } from './properties.ts'

const KEYS = {
  library: 'msg-broker-proto-lib',
  connection: 'msg-broker-conn-str',
  config: 'msg-broker-config',
}

const BROKER_SINK = 6

const PAYLOAD_OF_TYPE: Readonly<Record<number, DeepStreamPayload | 'nothing'>> = {
  0: 'deepstream-full',
  1: 'deepstream-minimal',
  2: 'deepstream-protobuf',
  256: 'nothing',
  257: 'deepstream-custom',
}

/** Turns a sink of type 6 into a connection and a route. */
export function importSink(
  reader: SettingsReader,
  group: KeyGroup,
  shared: KeyGroup | undefined,
  draft: Draft,
): void {
  if (!reader.flag(group, 'enable') || reader.integer(group, 'type') !== BROKER_SINK) return
  const isBare = reader.flag(group, 'disable-msgconv')
  if (isBare && shared === undefined) {
    const at = reader.valueAt(group, 'disable-msgconv')
    reader.warn(
      at,
      `[${group.name}] sends nothing: it has no converter, and no [message-converter] is enabled`,
    )
    return
  }
  const source = isBare && shared !== undefined ? shared : group
  const converter = readConverter(reader, source, draft)
  const broker = importBroker(reader, group, KEYS, draft)
  if (broker === undefined || converter === undefined) return
  const brokerId = reader.integer(group, 'msg-broker-comp-id') ?? 0
  if (brokerId !== 0 && brokerId !== (converter.options['componentId'] ?? 0)) {
    const at = reader.valueAt(group, 'msg-broker-comp-id')
    reader.warn(at, `[${group.name}] sends nothing: its converter makes payloads of another msg-conv-comp-id`)
    return
  }
  const { target, library } = broker
  const topic = topicOf(
    reader,
    group,
    target.defaultTopic ?? (library?.protocol === 'azure' ? 'events' : undefined),
  )
  if (topic === undefined) return
  const path = ['routes', draft.routes]
  const { partitionKey } = target
  draft.route(group, {
    from: INPUT_NAME,
    to: broker.name,
    topic,
    payload: converter.payload,
    ...(partitionKey !== undefined && { key: partitionKey }),
    converter: converter.options,
  })
  draft.from([...path, 'topic'], group, group.entries.get('topic') ?? group.entries.get(KEYS.connection))
  draft.from([...path, 'payload'], source, source.entries.get('msg-conv-payload-type'))
  draft.from([...path, 'converter', 'properties'], source, source.entries.get('msg-conv-config'))
}

interface Converter {
  readonly payload: DeepStreamPayload
  readonly options: Record<string, unknown>
}

function readConverter(reader: SettingsReader, group: KeyGroup, draft: Draft): Converter | undefined {
  const type = reader.integer(group, 'msg-conv-payload-type') ?? 0
  const payload = PAYLOAD_OF_TYPE[type]
  const at = reader.valueAt(group, 'msg-conv-payload-type')
  if (payload === undefined) {
    reader.add(at, `"msg-conv-payload-type" of [${group.name}] must be 0, 1, 2 or 257`)
    return undefined
  }
  if (payload === 'nothing') {
    reader.warn(at, `[${group.name}] sends nothing: nothing is made of the payload type 256`)
    return undefined
  }
  checkLibrary(reader, group)
  const properties = readPropertiesOf(reader, group, payload)
  const newApi = reader.flag(group, 'msg-conv-msg2p-new-api')
  const componentId = reader.integer(group, 'msg-conv-comp-id') ?? 0
  const options: Record<string, unknown> = { layout: 'indented' }
  if (properties !== undefined) options['properties'] = literal(properties)
  if (draft.sensors.size > 0) options['sensors'] = Object.fromEntries(draft.sensors)
  if (componentId > 0) options['componentId'] = componentId
  if (newApi) options['newApi'] = true
  const interval = readInterval(reader, group, newApi)
  if (interval !== undefined) options['frameInterval'] = interval
  // the original does not apply it in [message-converter]
  if (group.name.startsWith('sink') && reader.flag(group, 'msg-conv-dummy-payload'))
    options['dummyPayload'] = true
  if (draft.dummyObject) options['dummyObject'] = true
  return { payload, options }
}

function readInterval(reader: SettingsReader, group: KeyGroup, newApi: boolean): number | undefined {
  const interval = reader.integer(group, 'msg-conv-frame-interval')
  if (interval === undefined) return undefined
  const at = reader.valueAt(group, 'msg-conv-frame-interval')
  if (interval < 1) {
    reader.warn(at, `"msg-conv-frame-interval" of [${group.name}] must be 1 or more, it stays 30`)
    return undefined
  }
  if (!newApi) reader.warn(at, '"msg-conv-frame-interval" has no effect without msg-conv-msg2p-new-api=1')
  return newApi ? interval : undefined
}

function checkLibrary(reader: SettingsReader, group: KeyGroup): void {
  const library = reader.text(group, 'msg-conv-msg2p-lib')
  if (library === undefined || basename(library) === 'libnvds_msgconv.so') return
  const text = `"msg-conv-msg2p-lib" names "${basename(library)}", which cannot be loaded here, leave it out for the built-in converter`
  reader.add(reader.valueAt(group, 'msg-conv-msg2p-lib'), text)
}

function readPropertiesOf(
  reader: SettingsReader,
  group: KeyGroup,
  payload: DeepStreamPayload,
): string | undefined {
  const path = reader.path(group, 'msg-conv-config')
  const at = reader.valueAt(group, 'msg-conv-config')
  if (path === undefined) {
    if (payload === 'deepstream-full') {
      reader.add(
        at,
        `[${group.name}] has no msg-conv-config, which the full schema needs: name its file of sensors and places`,
      )
    }
    return undefined
  }
  const bytes = reader.bytes(path, at, 'msg-conv-config')
  if (bytes === undefined) return undefined
  if (/\.csv$/i.test(path) && payload !== 'deepstream-full') {
    reader.add(at, '"msg-conv-config" is CSV, which only the full schema takes, name a .txt or .yml file')
  }
  for (const { line, column, message, severity } of readProperties(path, bytes).problems) {
    reader.add(at, `${path}:${line}:${column}: ${message}`, { severity })
  }
  return path
}

/** The topic of a sink: its own, or without the new API the text after the last semicolon of three fields, or the adaptor's. */
function topicOf(
  reader: SettingsReader,
  group: KeyGroup,
  defaultTopic: string | undefined,
): string | undefined {
  const own = reader.text(group, 'topic')
  const fields = (reader.text(group, KEYS.connection) ?? '').split(';')
  const isLegacy = !reader.flag(group, 'new-api')
  const fallback = isLegacy && fields.length > 2 ? fields.at(-1)?.trim() : undefined
  const topic = own ?? (fallback === '' ? undefined : fallback) ?? defaultTopic
  const at = reader.valueAt(group, own === undefined ? KEYS.connection : 'topic')
  if (topic === undefined) {
    const why = isLegacy && fields.length === 2 ? ' (the original would take the port for one)' : ''
    reader.add(at, `[${group.name}] has no topic${why}, name one`)
  } else if (/<[a-z0-9 -]+>/i.test(topic)) {
    reader.add(at, `"topic" of [${group.name}] is still a placeholder, name a topic`)
  } else return literal(topic)
  return undefined
}
