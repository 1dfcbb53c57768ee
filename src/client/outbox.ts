import { readFile } from 'node:fs/promises'

import type { Clock } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { Limits, LogStore, Store } from '../outbox/index.ts'
import { FrameCipher, MemoryStore, openLogStore } from '../outbox/index.ts'
import type { OutboxOptions } from './options.ts'
import { OUTBOX_DEFAULTS } from './options.ts'

/** Where a client's messages wait, and how many may. */
export interface OpenedOutbox {
  /** Where they wait. */
  readonly store: Store
  /** The same, where it is on disk. */
  readonly log: LogStore | undefined
  /** How many may. */
  readonly limits: Limits
}

/**
 * Opens the outbox that the options ask for.
 *
 * @throws BackhaulError `OUTBOX_IN_USE`, `OUTBOX_FAILED`, `KEY_INVALID`, `FILE_UNREADABLE`
 */
export async function openOutbox(options: OutboxOptions | undefined, clock: Clock): Promise<OpenedOutbox> {
  const path = options?.durable === false ? undefined : options?.path
  const { maxMessages, maxBytes } = path === undefined ? OUTBOX_DEFAULTS.memory : OUTBOX_DEFAULTS.disk
  const limits: Limits = {
    maxMessages: options?.maxMessages ?? maxMessages,
    maxBytes: options?.maxBytes ?? maxBytes,
    maxParkedMessages: options?.maxParkedMessages,
    maxParkedBytes: options?.maxParkedBytes,
    policy: options?.policy ?? 'block',
  }
  if (options === undefined || path === undefined) return { store: new MemoryStore(), log: undefined, limits }
  const { keyFile } = options
  const log = await openLogStore({
    folder: path,
    fsync: options.fsync,
    fsyncIntervalMs: options.fsyncInterval,
    groupCommitMs: options.groupCommitMs,
    minFreeBytes: options.minFreeBytes,
    segmentBytes: segmentBytesFor(limits.maxBytes),
    cipher: keyFile === undefined ? undefined : new FrameCipher(await readKeys(keyFile)),
    clock,
  })
  return { store: log, log, limits }
}

/** Space is given back a segment at a time: small outboxes have small ones. */
function segmentBytesFor(maxBytes: number): number {
  return Math.min(16 * 1024 ** 2, Math.max(1024 ** 2, Math.round(maxBytes / 16)))
}

async function readKeys(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot read the key file of the outbox "${file}": check the path and its permissions`,
      error,
    )
  }
}
