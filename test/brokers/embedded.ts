import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

import type { EmbeddedBrokerOptions, Listener, TopicRule } from '../../src/cli/demo/index.ts'
import type { PairFiles, TestPki } from '../pki.ts'
import type { AccessList, ListenerKind, TestBroker } from './broker.ts'
import { demandsCertificate, hasTls, overWebSocket } from './broker.ts'
import type { LaunchSite } from './launch.ts'
import { launch } from './launch.ts'

/** How the embedded broker is started. */
export interface EmbeddedOptions {
  /** Its listeners. @default ['plain'] */
  readonly listeners?: readonly ListenerKind[]
  /** The CA of its TLS listeners; the caller closes it. @default one of its own, closed with it */
  readonly pki?: TestPki
  /** Certificate of its TLS listeners. @default `pki.server` */
  readonly server?: PairFiles
  /** Passwords by user. Given: nobody gets in without (client certificates aside). @default everybody gets in */
  readonly users?: Readonly<Record<string, string>>
  /**
   * Rights by user or common name of the client certificate. A refused publish ends the client, a refused
   * subscription is answered. @default everybody may do everything
   */
  readonly acl?: AccessList
}

/** Starts the embedded broker (MQTT 3.1.1) in a process of its own, so that it can be killed and frozen like any other. */
export function startEmbedded(options: EmbeddedOptions = {}): Promise<TestBroker> {
  const program = fileURLToPath(new URL('embedded-main.js', import.meta.url))
  return launch({
    name: 'embedded broker',
    command: (configFile) => [process.execPath, program, configFile],
    ready: /^ready$/,
    kinds: options.listeners ?? ['plain'],
    pki: options.pki,
    config: async (site) => JSON.stringify(await configOf(site, options)),
    // it keeps everything in memory
    acknowledgedSurvivesKill: false,
    acknowledgedSurvivesRestart: false,
  })
}

async function configOf(site: LaunchSite, options: EmbeddedOptions): Promise<EmbeddedBrokerOptions> {
  const listeners: Record<string, Listener> = {}
  for (const { kind, port } of site.listeners) {
    listeners[kind] = {
      port,
      websocket: overWebSocket(kind),
      tls: await tlsOf(kind, site.pki, options.server),
    }
  }
  return { listeners, users: options.users, rules: options.acl && rulesOf(options.acl) }
}

async function tlsOf(
  kind: ListenerKind,
  pki: TestPki | undefined,
  server = pki?.server,
): Promise<Listener['tls']> {
  if (!hasTls(kind) || pki === undefined || server === undefined) return undefined
  return {
    cert: await readFile(server.cert, 'utf8'),
    key: await readFile(server.key, 'utf8'),
    ...(demandsCertificate(kind) && { ca: await readFile(pki.ca, 'utf8'), requireClientCertificate: true }),
  }
}

function rulesOf(acl: AccessList): TopicRule[] {
  return Object.entries(acl).map(([identity, rules]) => {
    const topics = (verb: 'read' | 'write') =>
      rules.flatMap((rule) => {
        const [right, topic = ''] = rule.split(' ')
        return right === verb || right === 'readwrite' ? [topic] : []
      })
    return { identity: identity || 'anonymous', publish: topics('write'), subscribe: topics('read') }
  })
}
