/**
 * The Kafka adaptor's file. Its `proto-cfg` strings hold properties of the client library librdkafka; they are read as our Kafka
 * adaptor reads them (`kit/kafka/proto-cfg.ts`): what is unknown is an error, since the original would only log it and might go
 * on in plaintext.
 */
import { resolve } from 'node:path'

import { BackhaulError } from '../../contract/index.ts'
import type { TranslatedProperties } from '../kafka/proto-cfg.ts'
import { readProtoCfg } from '../kafka/proto-cfg.ts'
import type { KeyEntry } from '../key-file.ts'
import type { BrokerReader } from './broker-reader.ts'
import { literal } from './broker-reader.ts'
import { hostPort, parseConnectionString } from './connection-string.ts'

const PROTO_CFG = ['proto-cfg', 'producer-proto-cfg', 'consumer-proto-cfg'] as const
const KEYS = [...PROTO_CFG, 'partition-key', 'consumer-group-id'] as const
const MAX_KEY_LENGTH = 1023
/** TLS settings that name files. */
const FILES = ['ca', 'cert', 'key', 'crl', 'pfx']

/** Reads a connection of the Kafka adaptor. */
export function kafkaBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(KEYS, [])
  target.partitionKey = partitionKey(reader)
  target.group = reader.text('consumer-group-id') ?? 'test-consumer-group'
  target.options['start'] = 'earliest'
  const properties = readProperties(reader)
  if (properties !== undefined) take(reader, properties)
  if (source.connection === undefined) {
    reader.problem('connection', 'is missing, write host;port')
    return
  }
  const address = parseConnectionString(source.connection, 1)
  if (typeof address === 'string') reader.problem('connection', address)
  else {
    const scheme = properties?.secure === true ? 'kafkas' : 'kafka'
    target.url = `${scheme}://${properties?.hosts?.replaceAll(/\s/g, '') ?? hostPort(address)}`
  }
}

function partitionKey(reader: BrokerReader): string {
  const text = reader.text('partition-key') ?? 'sensor.id'
  if (text.length <= MAX_KEY_LENGTH) return text
  const entry = reader.entry('partition-key')
  reader.problem('config', `has more than ${MAX_KEY_LENGTH} characters, sensor.id is taken`, {
    entry,
    severity: 'warning',
  })
  return 'sensor.id'
}

/** All strings together; `undefined` where an error is in the way. */
function readProperties(reader: BrokerReader): TranslatedProperties | undefined {
  const strings = PROTO_CFG.flatMap((key) => {
    const text = reader.text(key)
    return text === undefined ? [] : [{ key, text }]
  })
  for (const { key, text } of strings) checkForm(reader, key, text)
  try {
    const properties = readProtoCfg(strings)
    for (const note of properties.notes) {
      const entry = entryOf(reader, /"([^"]*)"/.exec(note)?.[1])
      reader.problem('config', `says: ${note}`, { entry, severity: 'warning' })
    }
    return properties
  } catch (error) {
    if (!(error instanceof BackhaulError)) throw error
    for (const { path, text, nearest } of error.problems) {
      const [first, name] = [String(path[0]), String(path.at(-1))]
      const entry = entryOf(reader, first)
      const words = name === entry?.key ? text : `has "${name}", which ${text}`
      reader.problem('config', words, { entry, nearest })
    }
    return undefined
  }
}

/** What the original does not connect with, and what is read all the same. */
function checkForm(reader: BrokerReader, key: string, text: string): void {
  const entry = reader.entry(key)
  if (text === '""') {
    reader.problem('config', 'is empty, leave it out: the original does not connect with it', {
      entry,
      severity: 'warning',
    })
  } else if (entry !== undefined && entry.raw !== text) {
    const words =
      'has a blank after its quotes, with which the original does not connect; it is read all the same'
    reader.problem('config', words, { entry, severity: 'warning' })
  }
}

/** The entry of a string by its key, or by a property that it holds. */
function entryOf(reader: BrokerReader, name: string | undefined): KeyEntry | undefined {
  const entries = PROTO_CFG.map((key) => reader.entry(key)).filter((entry) => entry !== undefined)
  return (
    entries.find(({ key }) => key === name) ??
    entries.find(({ raw }) => name !== undefined && raw.includes(name)) ??
    entries[0]
  )
}

function take({ source, target }: BrokerReader, { options, tls, auth, group }: TranslatedProperties): void {
  for (const [name, value] of Object.entries(options)) target.options[name] = literal(value)
  for (const [name, value] of Object.entries(tls)) {
    const isFile = FILES.includes(name) && !value.includes('-----BEGIN')
    target.tls[name] = literal(isFile ? resolve(source.folder, value) : value)
  }
  for (const [name, value] of Object.entries(auth)) target.auth[name] = literal(value)
  // a group among the properties of the consumer wins, as in the original, which sets it later
  if (group !== undefined) target.group = group
}
