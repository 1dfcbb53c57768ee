/**
 * The Kafka adaptor's file. Its `proto-cfg` strings hold settings of the client library librdkafka, which are translated
 * one by one; what cannot be translated is an error, since the original would only log it and might go on in plaintext.
 */
import { resolve } from 'node:path'

import type { BrokerReader } from './broker-reader.ts'
import { literal } from './broker-reader.ts'
import { hostPort, parseConnectionString } from './connection-string.ts'
import { nearest } from '../nearest.ts'

const KEYS = [
  'proto-cfg',
  'producer-proto-cfg',
  'consumer-proto-cfg',
  'partition-key',
  'consumer-group-id',
] as const
const MAX_LENGTH = 1023

/** Reads a connection of the Kafka adaptor. */
export function kafkaBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(KEYS, [])
  const partitionKey = reader.text('partition-key')
  target.partitionKey =
    partitionKey !== undefined && partitionKey.length <= MAX_LENGTH ? partitionKey : 'sensor.id'
  target.group = reader.text('consumer-group-id') ?? 'test-consumer-group'
  target.options['start'] = 'earliest'
  const settings = new Map<string, string>()
  for (const key of ['proto-cfg', 'producer-proto-cfg', 'consumer-proto-cfg']) {
    for (const [name, value] of readProtoCfg(reader, key)) settings.set(name, value)
  }
  const protocol = settings.get('security.protocol')?.toLowerCase() ?? 'plaintext'
  const translated = new KafkaSettings(reader, protocol.endsWith('ssl'))
  for (const [name, value] of settings) translated.read(name, value)
  const scheme = protocol.endsWith('ssl') ? 'kafkas' : 'kafka'
  if (source.connection === undefined) {
    reader.problem('connection', 'is missing, write host;port')
    return
  }
  const address = parseConnectionString(source.connection, 1)
  if (typeof address === 'string') reader.problem('connection', address)
  else target.url = `${scheme}://${translated.servers ?? hostPort(address)}`
}

/** The pairs of one `proto-cfg` string. Quotes are demanded by the original; without them it is read all the same. */
function readProtoCfg(reader: BrokerReader, key: string): [string, string][] {
  const entry = reader.entry(key)
  const text = reader.text(key)
  if (entry === undefined || text === undefined) return []
  const quoted = /^"(.+)"$/.exec(text)?.[1]
  if (text === '""' || text === "''") {
    reader.problem('config', 'is empty, leave it out: the original does not connect with it', {
      entry,
      severity: 'warning',
    })
    return []
  }
  if (text.length > MAX_LENGTH) {
    reader.problem('config', `has more than ${MAX_LENGTH} characters, write less`, { entry })
    return []
  }
  if (quoted === undefined || entry.raw !== text) {
    const why = quoted === undefined ? 'is not in double quotes' : 'has a blank after its quotes'
    reader.problem('config', `${why}, which the original demands; it is read all the same`, {
      entry,
      severity: 'warning',
    })
  }
  const pairs: [string, string][] = []
  for (const part of (quoted ?? text.replaceAll(/^['"]|['"]$/g, '')).split(';')) {
    const equals = part.indexOf('=')
    if (equals > 0) pairs.push([part.slice(0, equals).trim(), part.slice(equals + 1)])
    else if (part.trim() !== '')
      reader.problem('config', `has "${part.trim()}", which is no key=value`, { entry })
  }
  return pairs
}

/** What a setting becomes: an option of ours and perhaps its value. */
type Translation = readonly [option: string, value?: (text: string) => unknown]

const OPTIONS: Readonly<Record<string, Translation>> = {
  'client.id': ['clientId'],
  'sasl.mechanism': ['sasl'],
  'sasl.mechanisms': ['sasl'],
  acks: ['acks', (text) => (text === '-1' ? 'all' : text)],
  'request.required.acks': ['acks', (text) => (text === '-1' ? 'all' : text)],
  'enable.idempotence': ['idempotence'],
  'compression.codec': ['compression'],
  'compression.type': ['compression'],
  partitioner: ['partitioner'],
  'message.max.bytes': ['maxMessageBytes'],
  'max.in.flight': ['maxInFlightRequests', (text) => Math.min(Number(text), 5)],
  'max.in.flight.requests.per.connection': ['maxInFlightRequests', (text) => Math.min(Number(text), 5)],
  'request.timeout.ms': ['requestTimeoutMs', Number],
  'session.timeout.ms': ['sessionTimeoutMs', Number],
  'heartbeat.interval.ms': ['heartbeatIntervalMs', Number],
  'auto.commit.interval.ms': ['commitIntervalMs', Number],
  'group.instance.id': ['groupInstanceId'],
  'isolation.level': ['isolation'],
  'auto.offset.reset': [
    'start',
    (text) => (/^(smallest|earliest|beginning)$/.test(text) ? 'earliest' : 'latest'),
  ],
  'fetch.wait.max.ms': ['fetchWaitMs', Number],
  'max.partition.fetch.bytes': ['fetchMaxBytes'],
  'topic.metadata.refresh.interval.ms': ['metadataRefreshMs', Number],
}

const TLS_FILES: Readonly<Record<string, string>> = {
  'ssl.ca.location': 'ca',
  'ssl.certificate.location': 'cert',
  'ssl.key.location': 'key',
  'ssl.keystore.location': 'pfx',
}

/** Settings of librdkafka that change nothing that matters here: its own queues, timers and log. */
const IDLE =
  /^(debug|log_level|linger\.ms|queue\.buffering\..*|batch\..*|statistics\..*|socket\..*|reconnect\..*|retries|retry\..*|message\.(send\.max\.retries|timeout\.ms)|delivery\.timeout\.ms|enable\.auto\.(commit|offset\.store)|api\.version\..*|broker\..*|max\.poll\.interval\.ms|allow\.auto\.create\.topics)$/

const OTHERS = [
  'security.protocol',
  'bootstrap.servers',
  'metadata.broker.list',
  'group.id',
  'sasl.username',
  'sasl.password',
  'ssl.key.password',
  'ssl.keystore.password',
  'enable.ssl.certificate.verification',
]

class KafkaSettings {
  /** Brokers that take the place of the one in the connection string. */
  servers: string | undefined
  readonly #reader: BrokerReader
  readonly #secure: boolean

  constructor(reader: BrokerReader, secure: boolean) {
    this.#reader = reader
    this.#secure = secure
  }

  read(name: string, value: string): void {
    const { target, source } = this.#reader
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
    const file = Object.hasOwn(TLS_FILES, name) ? TLS_FILES[name] : undefined
    if (option !== undefined)
      target.options[option[0]] = option[1] === undefined ? literal(value) : option[1](value)
    else if (file !== undefined) this.#tls(name, file, literal(resolve(source.folder, value)))
    else if (name === 'ssl.key.password' || name === 'ssl.keystore.password')
      this.#tls(name, 'passphrase', literal(value))
    else if (name === 'enable.ssl.certificate.verification') {
      if (value === 'false') this.#tls(name, 'insecureSkipVerify', true)
    } else if (name === 'bootstrap.servers' || name === 'metadata.broker.list')
      this.servers = value.replaceAll(' ', '')
    else if (name === 'group.id') target.group = value
    else if (name === 'sasl.username') target.auth['user'] = literal(value)
    else if (name === 'sasl.password') target.auth['password'] = literal(value)
    else if (name === 'security.protocol') this.#protocol(value)
    else this.#other(name)
  }

  #tls(name: string, option: string, value: string | boolean): void {
    if (this.#secure) this.#reader.target.tls[option] = value
    else this.#warn(`has "${name}" without security.protocol=ssl or sasl_ssl, and has no effect`)
  }

  #protocol(value: string): void {
    if (/^(plaintext|ssl|sasl_plaintext|sasl_ssl)$/i.test(value)) return
    const text = 'has a security.protocol that is none, write plaintext, ssl, sasl_plaintext or sasl_ssl'
    this.#reader.problem('config', text, { entry: this.#entry })
  }

  #other(name: string): void {
    if (IDLE.test(name)) {
      this.#warn(`has "${name}", which has no effect here`)
      return
    }
    const near = nearest(name, [...Object.keys(OPTIONS), ...Object.keys(TLS_FILES), ...OTHERS])
    const hint = near === undefined ? 'leave it out' : `did you mean "${near}"?`
    this.#reader.problem('config', `has the unknown setting "${name}", ${hint}`, {
      entry: this.#entry,
      nearest: near,
    })
  }

  #warn(text: string): void {
    this.#reader.problem('config', text, { entry: this.#entry, severity: 'warning' })
  }

  get #entry() {
    return KEYS.map((key) => this.#reader.entry(key)).find((entry) => entry?.key.endsWith('proto-cfg'))
  }
}
