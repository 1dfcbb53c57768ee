import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { stringify } from 'yaml'

import { BackhaulError } from '../../contract/index.ts'
import type { Authority } from '../../identity/index.ts'
import { createAuthority } from '../../identity/index.ts'
import type { TopicRule } from './topic-rules.ts'

/** The device's id, and the common name of its certificate. */
export const DEVICE = 'gate-7'
/** A device that is not there: its topics are none of the first one's business. */
export const NEIGHBOUR = 'gate-8'
/** The common name of the cloud's certificate. */
export const CLOUD = 'cloud'

/** Each identity's topics. */
export const RULES: readonly TopicRule[] = [
  ...[DEVICE, NEIGHBOUR].map((identity) => ({
    identity,
    publish: [`devices/${identity}/detections`, `devices/${identity}/replies`],
    subscribe: [`devices/${identity}/commands`],
  })),
  {
    identity: CLOUD,
    publish: ['devices/+/commands'],
    subscribe: ['devices/+/detections', 'devices/+/replies'],
  },
]

/** Paths of the TLS material of one client. */
export interface ClientFiles {
  /** The CA that the broker's certificate is from. */
  readonly ca: string
  /** The client's certificate. */
  readonly cert: string
  /** Its key. */
  readonly key: string
}

/** Certificates and keys of everybody who takes part, in a temporary folder. */
export interface Stage {
  /** The folder. */
  readonly folder: string
  /** The broker's TLS material, as text. */
  readonly broker: { readonly ca: string; readonly cert: string; readonly key: string }
  /** The device's. */
  readonly device: ClientFiles
  /** The cloud's. */
  readonly cloud: ClientFiles
  /** A certificate for the device's name, but from another CA. */
  readonly stranger: ClientFiles
  /** Writes the agent's configuration, and gives its path. */
  writeConfig(port: number): Promise<string>
  /** Removes the folder. */
  close(): Promise<void>
}

/** Makes a CA, the certificates and a folder that holds them. */
export async function setStage(): Promise<Stage> {
  const authority = await createAuthority({ commonName: 'Backhaul demo CA' })
  const otherAuthority = await createAuthority({ commonName: 'Backhaul demo CA' })
  const broker = await authority.issue({
    commonName: 'Backhaul demo broker',
    profile: 'server',
    hosts: ['localhost', '127.0.0.1'],
  })
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-demo-'))
  const ca = join(folder, 'ca.pem')
  await writeFile(ca, authority.certificatePem)
  const client = async (from: Authority, commonName: string, name = commonName): Promise<ClientFiles> => {
    const { certificatePem, keyPem } = await from.issue({ commonName, profile: 'client' })
    const files = { ca, cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
    await writeFile(files.cert, certificatePem)
    await writeFile(files.key, keyPem, { mode: 0o600 })
    return files
  }
  const device = await client(authority, DEVICE)
  return {
    folder,
    broker: { ca: authority.certificatePem, cert: broker.certificatePem, key: broker.keyPem },
    device,
    cloud: await client(authority, CLOUD),
    stranger: await client(otherAuthority, DEVICE, 'stranger'),
    writeConfig: async (port) => {
      const file = join(folder, 'edge.yaml')
      await writeFile(file, stringify(agentConfig(`mqtts://127.0.0.1:${port}`, device)))
      return file
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The agent's configuration. */
function agentConfig(url: string, tls: ClientFiles): Record<string, unknown> {
  return {
    version: 1,
    device: { id: DEVICE },
    connections: { cloud: { url, tls } },
    inputs: {
      camera: { type: 'file', path: recording(), schema: 'detection', replay: 'realtime', repeat: true },
    },
    routes: [{ from: 'camera', to: 'cloud', topic: 'devices/{device}/detections', payload: 'cloudevents' }],
    commands: [
      { connection: 'cloud', topics: ['devices/{device}/commands'], replyTopic: 'devices/{device}/replies' },
    ],
  }
}

/** The bundled recording. */
function recording(): string {
  // the compiled files lie three levels below the package when published, four when built for the tests
  const places = ['../../..', '../../../..'].map((up) =>
    fileURLToPath(new URL(`${up}/assets/recordings/street.jsonl`, import.meta.url)),
  )
  const found = places.find((place) => existsSync(place))
  if (found !== undefined) return found
  throw new BackhaulError(
    'FILE_UNREADABLE',
    'Cannot find the recording "assets/recordings/street.jsonl": the package is not complete, install it again',
  )
}
