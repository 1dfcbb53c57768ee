import { integerOf } from '../key-file.ts'
import type { BrokerReader } from './broker-reader.ts'
import { literal } from './broker-reader.ts'
import type { BrokerAddress } from './connection-string.ts'
import { addressOf, hostPort, parseConnectionString } from './connection-string.ts'

const AMQP_KEYS = [
  'hostname',
  'port',
  'username',
  'password',
  'exchange',
  'topic',
  'amqp-framesize',
  'amqp-heartbeat',
]
const REDIS_KEYS = [
  'hostname',
  'port',
  'password',
  'streamsize',
  'payloadkey',
  'consumergroup',
  'consumername',
]
const AZURE_KEYS = ['connection_str', 'custom_msg_properties']

/** Reads a connection of the AMQP adaptor: `host;port`, or with the deprecated user and password. */
export function amqpBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(AMQP_KEYS, [])
  const { connection } = source
  const given = connection !== undefined && connection.length >= 5
  const address = given ? parseConnectionString(connection, 2) : ofFile(reader, '5672')
  const [user, password] = typeof address === 'string' ? [] : address.more
  reader.credentials('AMQP', { user, password })
  target.defaultTopic = reader.text('topic') ?? 'deepstream_topic'
  target.options['exchange'] = literal(reader.text('exchange') ?? 'amq.topic')
  const heartbeat = reader.integer('amqp-heartbeat')
  if (heartbeat !== undefined && heartbeat > 0) target.options['heartbeatSeconds'] = heartbeat
  const frame = reader.integer('amqp-framesize')
  if (frame !== undefined) target.options['frameMaxBytes'] = frame
  if (typeof address === 'string') {
    reader.problem('connection', address)
    return
  }
  if (address.more.length > 0) {
    const text = 'names a user, which is deprecated, set USER_AMQP and PASSWORD_AMQP'
    reader.problem('connection', text, { severity: 'warning' })
  }
  if (target.auth['user'] === undefined || target.auth['password'] === undefined) {
    reader.problem('connection', 'has no user and password, set USER_AMQP and PASSWORD_AMQP')
  }
  target.url = `amqp://${hostPort(address)}`
}

/** Reads a connection of the Redis adaptor. */
export function redisBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(REDIS_KEYS, ['flush-timeout', 'sensorid'])
  const { connection } = source
  const given = connection !== undefined && connection.length > 3
  const address = given ? parseConnectionString(connection, 0) : ofFile(reader, '')
  const password = Object.hasOwn(source.env, 'PASSWORD_REDIS')
    ? '${env:PASSWORD_REDIS}'
    : literal(reader.text('password'))
  if (password !== undefined) target.auth = { user: 'default', password }
  target.group = reader.text('consumergroup') ?? 'redis-consumer-group'
  target.options['payloadField'] = literal(reader.text('payloadkey') ?? 'metadata')
  const consumer = reader.text('consumername')
  if (consumer !== undefined) target.options['consumer'] = literal(consumer)
  const size = reader.entry('streamsize')
  const length = size && integerOf(size)
  if (length !== undefined && 'value' in length) target.options['maxStreamLength'] = length.value
  if (typeof address === 'string') reader.problem('connection', address)
  else target.url = `redis://${hostPort(address)}`
}

/** Reads a connection of one of the two Azure adaptors. */
export function azureBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(AZURE_KEYS, ['cleanup-timeout'])
  readProperties(reader)
  const text = source.connection ?? reader.text('connection_str')
  const pairs = new Map(
    (text ?? '')
      .split(';')
      .map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const),
  )
  const host = pairs.get('HostName')
  const device = pairs.get('DeviceId')
  const key = pairs.get('SharedAccessKey')
  if (host === undefined || device === undefined || key === undefined) {
    reader.problem(
      'connection',
      'is no connection string of a device, write HostName=...;DeviceId=...;SharedAccessKey=...',
    )
    return
  }
  target.auth = { user: literal(device), password: literal(key) }
  target.url = `azure://${host}`
}

/** `name=value;name=value;`: each message has these properties. */
function readProperties(reader: BrokerReader): void {
  const key = 'custom_msg_properties'
  const pairs = (reader.text(key) ?? '').split(';').filter((pair) => pair.trim() !== '')
  if (pairs.length === 0) return
  const wrong = pairs.find((pair) => pair.indexOf('=') < 1)
  if (wrong === undefined) {
    reader.target.options['properties'] = Object.fromEntries(
      pairs.map((pair) => [
        pair.slice(0, pair.indexOf('=')).trim(),
        literal(pair.slice(pair.indexOf('=') + 1)),
      ]),
    )
  } else {
    reader.problem('config', `has "${wrong}", which is no name=value`, { entry: reader.entry(key) })
  }
}

function ofFile(reader: BrokerReader, defaultPort: string): BrokerAddress | string {
  const host = reader.text('hostname')
  const port = reader.text('port') ?? defaultPort
  return host === undefined || port === ''
    ? 'is missing, and so is hostname in its file'
    : addressOf(host, port)
}
