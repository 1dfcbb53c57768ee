import { execFile } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

import type { PairFiles, TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { AccessList, ListenerKind, TestBroker } from './broker.ts'
import { BrokerProcess } from './broker-process.ts'
import { freePorts } from './ports.ts'
import { findCommand } from './require.ts'

const SCHEMES: Readonly<Record<ListenerKind, string>> = {
  plain: 'mqtt',
  tls: 'mqtts',
  mutual: 'mqtts',
  ws: 'ws',
  wss: 'wss',
  wssMutual: 'wss',
}

/** Lines of Mosquitto's configuration, by keyword. */
export type MosquittoSettings = Readonly<Record<string, string | number | boolean>>

/** How Mosquitto is started. */
export interface MosquittoOptions {
  /** Its listeners. A plaintext one is always there. @default ['plain'] */
  readonly listeners?: readonly ListenerKind[]
  /** The CA of its TLS listeners; the caller closes it. @default one of its own, closed with it */
  readonly pki?: TestPki
  /** Certificate of its TLS listeners. @default `pki.server` */
  readonly server?: PairFiles
  /** Passwords by user. Given: nobody gets in without (client certificates aside). @default everybody gets in */
  readonly users?: Readonly<Record<string, string>>
  /**
   * Rights by user or common name of the client certificate. A refused publish is dropped (3.1.1) or answered (5);
   * a refused subscription is granted and brings nothing: this is Mosquitto's way. @default everybody may do everything
   */
  readonly acl?: AccessList
  /** Keeps sessions and retained messages over an orderly `restart()`. @default false */
  readonly persistence?: boolean
  /** Further lines for all, for example `{ max_inflight_messages: 1000 }`. */
  readonly settings?: MosquittoSettings
  /** Further lines for each listener with TLS, for example `{ tls_version: 'tlsv1.3' }`. */
  readonly tlsSettings?: MosquittoSettings
}

/** Starts a Mosquitto and waits until it listens. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<TestBroker> {
  const command = findCommand('mosquitto')
  if (command === undefined) throw new Error('Cannot start Mosquitto: it is not installed, install mosquitto')
  const kinds = [...new Set<ListenerKind>(['plain', ...(options.listeners ?? [])])]
  const ownPki = options.pki === undefined && kinds.some(hasTls) ? await createTestPki() : undefined
  const pki = options.pki ?? ownPki
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-mosquitto-'))
  const configFile = join(folder, 'mosquitto.conf')
  const name = `mosquitto ${await versionOf(command)}`
  const server = new BrokerProcess({ name, command, args: ['-c', configFile], ready: / running$/ })
  const cleanUp = async () => {
    await rm(folder, { recursive: true, force: true })
    await ownPki?.close()
  }

  // another process may take a port between the look and the start
  let ports: number[] = []
  for (let tries = 1; ; tries += 1) {
    ports = await freePorts(kinds.length)
    const listeners = kinds.map((kind, index) => ({ kind, port: ports[index] ?? 0 }))
    await writeFile(configFile, await configText(folder, listeners, options, pki))
    try {
      await server.start()
      break
    } catch (error) {
      const taken = server.log.some((line) => line.includes('Address already in use'))
      if (taken && tries < 5) continue
      await cleanUp()
      throw error
    }
  }

  const port = (kind: ListenerKind): number => {
    const found = ports[kinds.indexOf(kind)]
    if (found === undefined)
      throw new Error(`This Mosquitto has no listener "${kind}": ask for it in listeners`)
    return found
  }
  const stop = async () => {
    await server.stop()
    await cleanUp()
  }
  return {
    name,
    // it writes its store at its orderly end only
    acknowledgedSurvivesKill: false,
    pki,
    get pid() {
      return server.pid
    },
    log: server.log,
    port,
    url: (kind) => `${SCHEMES[kind]}://127.0.0.1:${port(kind)}`,
    waitForLog: (pattern, limits) => server.waitForLog(pattern, limits),
    stop,
    kill: () => server.kill(),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async restart() {
      await server.stop()
      await server.start()
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function configText(
  folder: string,
  listeners: readonly { readonly kind: ListenerKind; readonly port: number }[],
  options: MosquittoOptions,
  pki: TestPki | undefined,
): Promise<string> {
  const general: Record<string, string | number | boolean> = {
    log_dest: 'stderr',
    sys_interval: 0,
    max_queued_messages: 100_000,
    allow_anonymous: options.users === undefined,
    persistence: options.persistence ?? false,
    ...options.settings,
  }
  if (options.persistence === true) general['persistence_location'] = `${folder}/`
  if (options.users !== undefined) {
    general['password_file'] = await write(folder, 'passwords', passwordLines(options.users))
  }
  if (options.acl !== undefined) general['acl_file'] = await write(folder, 'acl', aclLines(options.acl))
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
  const isWebSocket = kind === 'ws' || kind === 'wss' || kind === 'wssMutual'
  // a WebSocket listener binds to the interface of this name, and takes an address for "all interfaces"
  const lines = [`listener ${port} ${isWebSocket ? loopbackInterface() : '127.0.0.1'}`]
  if (isWebSocket) lines.push('protocol websockets')
  if (pki === undefined || !hasTls(kind)) return lines
  const { cert, key } = options.server ?? pki.server
  lines.push(`cafile ${pki.ca}`, `certfile ${cert}`, `keyfile ${key}`)
  if (kind === 'mutual' || kind === 'wssMutual') {
    lines.push('require_certificate true', 'use_identity_as_username true')
  }
  return [...lines, ...settingLines(options.tlsSettings ?? {})]
}

function hasTls(kind: ListenerKind): boolean {
  return kind !== 'plain' && kind !== 'ws'
}

function settingLines(settings: MosquittoSettings): string[] {
  return Object.entries(settings).map(([keyword, value]) => `${keyword} ${value}`)
}

/** Lines as `mosquitto_passwd` writes them: PBKDF2 with SHA-512. */
function passwordLines(users: Readonly<Record<string, string>>): string[] {
  const rounds = 101
  return Object.entries(users).map(([user, password]) => {
    const salt = randomBytes(12)
    const hash = pbkdf2Sync(password, salt, rounds, 64, 'sha512')
    return `${user}:$7$${rounds}$${salt.toString('base64')}$${hash.toString('base64')}`
  })
}

/** The rights of the anonymous one stand before those of the first user. */
function aclLines(acl: AccessList): string[] {
  const rules = (identity: string) => (acl[identity] ?? []).map((rule) => `topic ${rule}`)
  const named = Object.keys(acl).filter((identity) => identity !== '')
  return [...rules(''), ...named.flatMap((identity) => [`user ${identity}`, ...rules(identity)])]
}

async function write(folder: string, name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  return path
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
