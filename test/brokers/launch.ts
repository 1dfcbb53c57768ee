import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'
import type { ListenerKind, TestBroker } from './broker.ts'
import { hasTls } from './broker.ts'
import { BrokerProcess, controlsOf } from './broker-process.ts'
import { freePorts } from './ports.ts'

const SCHEMES: Readonly<Record<ListenerKind, string>> = {
  plain: 'mqtt',
  tls: 'mqtts',
  mutual: 'mqtts',
  ws: 'ws',
  wss: 'wss',
  wssMutual: 'wss',
}

/** What a broker's configuration is made of. */
export interface LaunchSite {
  /** A folder of its own. */
  readonly folder: string
  /** Its listeners with the ports that were found for them. */
  readonly listeners: readonly { readonly kind: ListenerKind; readonly port: number }[]
  /** The CA of its TLS listeners. */
  readonly pki: TestPki | undefined
}

/** How a broker is launched. */
export interface Launch {
  /** For titles and messages. */
  readonly name: string
  /** The program and its arguments. */
  readonly command: (configFile: string) => readonly [string, ...string[]]
  /** The line that says that all ports listen. */
  readonly ready: RegExp
  /** The listeners. */
  readonly kinds: readonly ListenerKind[]
  /** The CA of its TLS listeners; without one it gets its own where it needs one. */
  readonly pki: TestPki | undefined
  /** The text of its configuration file. */
  readonly config: (site: LaunchSite) => string | Promise<string>
  /** See `TestBroker`. */
  readonly acknowledgedSurvivesKill: boolean
  /** See `TestBroker`. */
  readonly acknowledgedSurvivesRestart: boolean
}

/** Starts a broker as a child process with a folder, a CA and ports of its own. */
export async function launch(options: Launch): Promise<TestBroker> {
  const { name, kinds } = options
  const ownPki = options.pki === undefined && kinds.some(hasTls) ? await createTestPki() : undefined
  const pki = options.pki ?? ownPki
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-broker-'))
  const configFile = join(folder, 'config')
  const [command, ...args] = options.command(configFile)
  const server = new BrokerProcess({ name, command, args, ready: options.ready })
  const cleanUp = async () => {
    await rm(folder, { recursive: true, force: true })
    await ownPki?.close()
  }

  let ports: number[] = []
  for (let tries = 1; ; tries += 1) {
    try {
      ports = await freePorts(kinds.length)
      const listeners = kinds.map((kind, index) => ({ kind, port: ports[index] ?? 0 }))
      await writeFile(configFile, await options.config({ folder, listeners, pki }), { mode: 0o600 })
      await server.start()
      break
    } catch (error) {
      // another process may take a port between the look and the start
      if (tries < 5 && server.log.some((line) => /address already in use/i.test(line))) continue
      await cleanUp()
      throw error
    }
  }

  const port = (kind: ListenerKind): number => {
    const found = ports[kinds.indexOf(kind)]
    if (found === undefined)
      throw new Error(`This ${name} has no listener "${kind}": ask for it in listeners`)
    return found
  }
  const stop = async () => {
    await server.stop()
    await cleanUp()
  }
  return {
    name,
    acknowledgedSurvivesKill: options.acknowledgedSurvivesKill,
    acknowledgedSurvivesRestart: options.acknowledgedSurvivesRestart,
    pki,
    get pid() {
      return server.pid
    },
    log: server.log,
    port,
    url: (kind) => `${SCHEMES[kind]}://127.0.0.1:${port(kind)}`,
    ...controlsOf(server, stop),
  }
}
