import { execFile } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import process from 'node:process'
import { promisify } from 'node:util'

import type { PairFiles, TestPki } from '../pki.ts'
import type { AccessList, ListenerKind, TestBroker } from './broker.ts'
import { demandsCertificate, hasTls, overWebSocket } from './broker.ts'
import type { LaunchSite } from './launch.ts'
import { launch } from './launch.ts'
import type { MosquittoAccess } from './mosquitto-access.ts'
import { accessSettings, writeRights } from './mosquitto-access.ts'
import { findCommand } from './require.ts'

/** Lines of Mosquitto's configuration, by keyword. */
export type MosquittoSettings = Readonly<Record<string, string | number | boolean>>

/** How Mosquitto is started. */
export interface MosquittoOptions extends MosquittoAccess {
  /** Its listeners. A plaintext one is always there. @default ['plain'] */
  readonly listeners?: readonly ListenerKind[]
  /** The CA of its TLS listeners; the caller closes it. @default one of its own, closed with it */
  readonly pki?: TestPki
  /** Certificate of its TLS listeners. @default `pki.server` */
  readonly server?: PairFiles
  /** Keeps sessions and retained messages over an orderly `restart()`. @default false */
  readonly persistence?: boolean
  /** Further lines for all, for example `{ max_inflight_messages: 1000 }`. */
  readonly settings?: MosquittoSettings
  /** Further lines for each listener with TLS, for example `{ tls_version: 'tlsv1.3' }`. */
  readonly tlsSettings?: MosquittoSettings
}

/** A Mosquitto that a test has started. */
export interface MosquittoBroker extends TestBroker {
  /** Changes the rights while it runs. Only where it was started with `acl`, and without its plugin. */
  setRights(acl: AccessList): Promise<void>
}

/** Starts a Mosquitto and waits until it listens. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<MosquittoBroker> {
  const command = findCommand('mosquitto')
  if (command === undefined) throw new Error('Cannot start Mosquitto: it is not installed, install mosquitto')
  let folder = ''
  const broker = await launch({
    name: `mosquitto ${await versionOf(command)}`,
    command: (configFile) => [command, '-c', configFile],
    ready: / running$/,
    kinds: [...new Set<ListenerKind>(['plain', ...(options.listeners ?? [])])],
    pki: options.pki,
    config: (site) => {
      folder = site.folder
      return configText(site, options)
    },
    // it writes its store at its orderly end only
    acknowledgedSurvivesKill: false,
    acknowledgedSurvivesRestart: options.persistence ?? false,
  })
  return Object.assign(broker, {
    async setRights(acl: AccessList) {
      await writeRights(folder, acl)
      const from = broker.log.length
      process.kill(broker.pid, 'SIGHUP')
      await broker.waitForLog(/Reloading config/, { from })
    },
  })
}

async function configText(site: LaunchSite, options: MosquittoOptions): Promise<string> {
  const { folder, listeners, pki } = site
  const general: Record<string, string | number | boolean> = {
    log_dest: 'stderr',
    sys_interval: 0,
    max_queued_messages: 100_000,
    persistence: options.persistence ?? false,
    ...(await accessSettings(folder, options)),
    ...options.settings,
  }
  if (options.persistence === true) general['persistence_location'] = `${folder}/`
  // it would change to the user mosquitto, who cannot read the files of this test
  if (process.getuid?.() === 0) general['user'] = 'root'
  const blocks = listeners.map(({ kind, port }) => listenerLines(kind, port, options, pki))
  return [...settingLines(general), ...blocks.flat()].join('\n')
}

function listenerLines(
  kind: ListenerKind,
  port: number,
  options: MosquittoOptions,
  pki: TestPki | undefined,
): string[] {
  const isWebSocket = overWebSocket(kind)
  // a WebSocket listener binds to the interface of this name, and takes an address for "all interfaces"
  const lines = [`listener ${port} ${isWebSocket ? loopbackInterface() : '127.0.0.1'}`]
  if (isWebSocket) lines.push('protocol websockets')
  if (pki === undefined || !hasTls(kind)) return lines
  const { cert, key } = options.server ?? pki.server
  lines.push(`cafile ${pki.ca}`, `certfile ${cert}`, `keyfile ${key}`)
  if (demandsCertificate(kind)) {
    lines.push('require_certificate true', 'use_identity_as_username true')
  }
  return [...lines, ...settingLines(options.tlsSettings ?? {})]
}

function settingLines(settings: MosquittoSettings): string[] {
  return Object.entries(settings).map(([keyword, value]) => `${keyword} ${value}`)
}

function loopbackInterface(): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) => addresses?.[0]?.internal)
  return found?.[0] ?? 'lo'
}

async function versionOf(command: string): Promise<string> {
  // `-h` prints the version and ends with an exit code other than 0
  const output = await promisify(execFile)(command, ['-h']).catch((error: unknown) => error)
  const text =
    typeof output === 'object' && output !== null && 'stdout' in output ? String(output.stdout) : ''
  return /version (\S+)/.exec(text)?.[1] ?? 'of unknown version'
}
