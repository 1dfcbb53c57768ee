import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'

import type { BrokerReader } from './broker-reader.ts'
import { literal } from './broker-reader.ts'
import { hostPort, parseConnectionString } from './connection-string.ts'

const KEYS = [
  'username',
  'password',
  'client-id',
  'enable-tls',
  'tls-cafile',
  'tls-capath',
  'tls-certfile',
  'tls-keyfile',
  'keep-alive',
] as const
const IDLE = ['loop-timeout', 'set-threaded'] as const

/** Reads a connection of the MQTT adaptor. Where the original sends at most once, we send at least once. */
export function mqttBroker(reader: BrokerReader): void {
  const { source, target } = reader
  reader.keys(KEYS, IDLE)
  // the original looks at the first character only
  target.share = reader.text('share-connection')?.startsWith('1') === true
  if (source.group !== undefined) reader.credentials('MQTT')
  const clientId = reader.text('client-id')
  if (clientId !== undefined) target.options['clientId'] = literal(clientId)
  const keepAlive = reader.integer('keep-alive')
  target.options['keepAliveSeconds'] = keepAlive ?? 60
  const secure = reader.text('enable-tls')?.startsWith('1') === true
  if (secure) readTls(reader)
  if (source.connection === undefined) {
    reader.problem('connection', 'is missing, write host;port')
    return
  }
  const address = parseConnectionString(source.connection, 1)
  if (typeof address === 'string') reader.problem('connection', address)
  else target.url = `${secure ? 'mqtts' : 'mqtt'}://${hostPort(address)}`
}

function readTls(reader: BrokerReader): void {
  const { tls } = reader.target
  const path = (key: string) => {
    const file = reader.text(key)
    return file === undefined ? undefined : literal(resolve(reader.source.folder, file))
  }
  const ca = path('tls-cafile')
  const folder = path('tls-capath')
  if (ca === undefined && folder === undefined) {
    const entry = reader.entry('enable-tls')
    reader.problem('config', 'needs tls-cafile or tls-capath, name the file with the CA certificate', {
      entry,
    })
  }
  if (ca !== undefined) tls['ca'] = ca
  else if (folder !== undefined) readFolder(reader, folder)
  const cert = path('tls-certfile')
  const key = path('tls-keyfile')
  if (cert !== undefined && key !== undefined) {
    tls['cert'] = cert
    tls['key'] = key
  } else if (cert !== undefined || key !== undefined) {
    const entry = reader.entry('tls-certfile') ?? reader.entry('tls-keyfile')
    const text = 'has no effect: a client certificate needs tls-certfile and tls-keyfile'
    reader.problem('config', text, { entry, severity: 'warning' })
  }
}

/** A folder of CA certificates stands for its one file. */
function readFolder(reader: BrokerReader, folder: string): void {
  const entry = reader.entry('tls-capath')
  try {
    const files = readdirSync(folder).filter((name) => /\.(pem|crt|cer|\d+)$/i.test(name))
    const [file] = files
    if (file !== undefined && files.length === 1) reader.target.tls['ca'] = resolve(folder, file)
    else
      reader.problem(
        'config',
        `has ${files.length} certificates, put them into one file and name it by tls-cafile`,
        { entry },
      )
  } catch {
    reader.problem('config', 'is no folder that can be read, name a file by tls-cafile', { entry })
  }
}
