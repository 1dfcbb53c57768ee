import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { after, before, test } from 'node:test'

import type { Client, ConnectOptions } from '../../src/client/index.ts'
import { connect } from '../../src/client/index.ts'
import type { ErrorCode } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import type { MosquittoOptions, TestBroker } from '../brokers/index.ts'
import { LISTENER_KINDS, startEmbedded, startMosquitto, without } from '../brokers/index.ts'
import type { TestPki } from '../pki.ts'
import { createTestPki } from '../pki.ts'

/** What is there for every row. */
export interface Site {
  /** The CA of both brokers. */
  readonly pki: TestPki
  /** Every kind of listener. `ann` (password `right`) and `edge-1` (by certificate) may use `own/#` only. */
  readonly mosquitto: TestBroker
  /** MQTT 3.1.1 only, the same users and rights. */
  readonly embedded: TestBroker
  /** Another Mosquitto for one row, stopped when the row ends. */
  readonly broker: (options: MosquittoOptions) => Promise<TestBroker>
  /** A TCP server that is no broker, closed when the row ends. Gives its port. */
  readonly peer: (serve: (socket: Socket) => void) => Promise<number>
}

/** What somebody asks for. */
export interface Given {
  readonly address: string
  readonly options?: ConnectOptions
}

/** A mistake, and the answer that it must get. */
export interface Mistake {
  /** Completes "connect() answers ...". */
  readonly what: string
  /** The address and options that have it. */
  readonly given: (site: Site) => Given | Promise<Given>
  /** What is done with the link, where it is this that fails. */
  readonly use?: (client: Client) => Promise<unknown>
  readonly code: ErrorCode
  /** What the message must say, the fix above all. */
  readonly says: RegExp
}

/** What a network that gives no answer may cost a row. */
const CONNECT_TIMEOUT_MS = 700

/** Makes one test of each mistake. */
export function testMistakes(mistakes: readonly Mistake[]): void {
  const skip = without('mosquitto', 'openssl')
  let site: Omit<Site, 'broker' | 'peer'> | undefined
  before(async () => {
    if (skip === false) site = await openSite()
  })
  after(async () => {
    await site?.mosquitto.stop()
    await site?.embedded.stop()
    await site?.pki.close()
  })
  for (const mistake of mistakes) {
    test(`connect() answers ${mistake.what} with ${mistake.code}`, { skip }, async (t) => {
      assert.ok(site !== undefined)
      await check(mistake, { ...site, ...servers(t, site.pki) })
    })
  }
}

async function openSite(): Promise<Omit<Site, 'broker' | 'peer'>> {
  const pki = await createTestPki()
  const access = {
    users: { ann: 'right' },
    acl: { ann: ['readwrite own/#'], 'edge-1': ['readwrite own/#'] },
  } as const
  const [mosquitto, embedded] = await Promise.all([
    startMosquitto({ pki, listeners: LISTENER_KINDS, ...access, refusesSubscriptions: true }),
    startEmbedded({ pki, ...access }),
  ])
  return { pki, mosquitto, embedded }
}

function servers(t: TestContext, pki: TestPki): Pick<Site, 'broker' | 'peer'> {
  return {
    async broker(options) {
      const broker = await startMosquitto({ pki, ...options })
      t.after(() => broker.stop())
      return broker
    },
    async peer(serve) {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
        serve(socket)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
      return portOf(server.address())
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

async function check({ given, use, code, says }: Mistake, site: Site): Promise<void> {
  const { address, options } = await given(site)
  const attempt = async (): Promise<void> => {
    const client = await connect(address, { connectTimeoutMs: CONNECT_TIMEOUT_MS, ...options })
    try {
      await use?.(client)
    } finally {
      await client.close()
    }
  }
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof BackhaulError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, says)
    assert.match(error.message, /^Cannot [^]*[^.]$/)
    return true
  })
}
