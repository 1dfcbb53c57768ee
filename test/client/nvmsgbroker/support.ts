import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import type {
  NvMsgBroker,
  NvMsgBrokerHandle,
  NvMsgBrokerOptions,
} from '../../../src/client/nvmsgbroker/index.ts'
import { createNvMsgBroker, NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'

/** Where DeepStream has its libraries. */
export const LIB = '/opt/nvidia/deepstream/deepstream/lib'

/** Something that grows, and that a test waits for. */
export class Log<T> {
  readonly items: T[] = []
  readonly #grown = new EventEmitter()

  readonly add = (item: T): void => {
    this.items.push(item)
    this.#grown.emit('item')
  }

  /** Waits for so many items, and gives all that are there. */
  async until(count: number): Promise<T[]> {
    while (this.items.length < count) await once(this.#grown, 'item', { signal: AbortSignal.timeout(60_000) })
    return this.items
  }
}

/** Waits for something that only comes again when it is done again: at most 40 times. */
export async function again(work: () => Promise<void>, isDone: () => boolean): Promise<void> {
  for (let count = 0; count < 40 && !isDone(); count += 1) {
    await work()
    await pause(250)
  }
}

/** A library with files of its own, and what it told. */
export interface SetUp {
  /** The library. */
  readonly library: NvMsgBroker
  /** Why calls gave NULL. */
  readonly errors: unknown[]
  /** The lines of its log. */
  readonly lines: string[]
  /** An adaptor's file with sharing switched on. */
  readonly shared: string
  /** An adaptor's file with nothing in it. */
  readonly alone: string
  /** What was connected; whatever is left of it is disconnected at the end of the test. */
  readonly handles: Set<NvMsgBrokerHandle>
  /** Writes an adaptor's file with lines of its own, and gives its path. */
  readonly config: (text: string) => Promise<string>
}

/** Sets a library up; its files go at the end of the test. */
export async function setUp(
  t: TestContext,
  settings = 'auto-reconnect=1\nretry-interval=1\nmax-retry-limit=3600\n',
  more: NvMsgBrokerOptions = {},
): Promise<SetUp> {
  const folder = await mkdtemp(join(tmpdir(), 'backhaul-nvmsgbroker-'))
  t.after(() => rm(folder, { recursive: true }))
  let files = 0
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const config = (text: string): Promise<string> => {
    files += 1
    return write(`cfg_${files}.txt`, `[message-broker]\n${text}\n`)
  }
  const errors: unknown[] = []
  const lines: string[] = []
  const library = createNvMsgBroker({
    settingsFile: await write('cfg_nvmsgbroker.txt', `[nvmsgbroker]\n${settings}`),
    connectTimeoutMs: 30_000,
    env: {},
    onError: (error) => errors.push(error),
    onLog: (line) => lines.push(line),
    ...more,
  })
  const handles = new Set<NvMsgBrokerHandle>()
  t.after(async () => {
    for (const handle of handles) while ((await library.disconnect(handle)) === NvMsgBrokerStatus.OK);
  })
  const shared = await config('share-connection = 1')
  return { library, errors, lines, shared, alone: await config(''), config, handles }
}

/** Connects, and fails where that gives NULL. */
export async function connected(
  { library, errors, handles }: SetUp,
  ...args: Parameters<NvMsgBroker['connect']>
): Promise<NvMsgBrokerHandle> {
  const handle = await library.connect(...args)
  assert.ok(handle !== null, String(errors.at(-1)))
  handles.add(handle)
  return handle
}

/** Sends a message, and waits for what became of it. */
export function sent(
  library: NvMsgBroker,
  handle: NvMsgBrokerHandle,
  topic: string,
  payload: Uint8Array | string,
): Promise<NvMsgBrokerStatus> {
  return new Promise((resolve) => {
    const taken = library.sendAsync(handle, { topic, payload }, (_, status) => resolve(status))
    if (taken !== NvMsgBrokerStatus.OK) resolve(taken)
  })
}
