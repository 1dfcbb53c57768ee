import { z } from 'zod'

import { BackhaulError } from '../contract/index.ts'
import { LineSplitter } from '../kit/lines.ts'
import type { HeldMessage, LogStore } from '../outbox/index.ts'
import { Pump } from '../outbox/index.ts'
import type { CliIo } from './io.ts'
import { written } from './io.ts'

const MAX_LINE_BYTES = 512 * 1024 * 1024
/** So many messages are made safe together. */
const BATCH = 500

const PRIORITY_OF = ['control', 'alarm', 'telemetry'] as const

/** A line of an export. */
const lineSchema = z.strictObject({
  log: z.enum(['control', 'alarm', 'telemetry', 'parked', 'dead']),
  id: z.string().min(1).max(128),
  topic: z.string(),
  payload: z.base64(),
  priority: z.enum(PRIORITY_OF),
  key: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  expiresAtMs: z.number().optional(),
  error: z.unknown().optional(),
})

/** Writes messages as JSON, one a line; the payload is base64. */
export async function exportMessages(io: CliIo, messages: AsyncIterable<HeldMessage>): Promise<void> {
  for await (const { log, message, expiresAtMs, origin, error } of messages) {
    const { id, topic, payload, key, headers } = message
    const line = {
      log,
      id,
      topic,
      priority: log === 'parked' || log === 'dead' ? PRIORITY_OF[origin?.lane ?? 2] : log,
      key,
      headers,
      expiresAtMs,
      error,
      payload: Buffer.from(payload).toString('base64'),
    }
    await written(io.stdout, `${JSON.stringify(line)}\n`)
  }
}

/**
 * Takes over the lines of an export; those of dead letters are left out.
 *
 * @returns how many were taken over, all of them safe
 * @throws BackhaulError `INVALID_MESSAGE` with the number of the line; the lines before it are taken over
 */
export async function importMessages(io: CliIo, store: LogStore): Promise<number> {
  const pump = new Pump({
    store,
    publish: () => undefined,
    limits: { maxMessages: Infinity, maxBytes: Infinity },
  })
  let count = 0
  let number = 0
  let safe: Promise<void> | undefined
  try {
    for await (const line of linesOf(io)) {
      number += 1
      if (line === '') continue
      const { id, topic, payload, key, headers, priority, expiresAtMs, log } = parse(line, number)
      if (log === 'dead') continue
      const message = { id, topic, payload: Buffer.from(payload, 'base64'), key, headers }
      safe = pump.add(message, { priority, expiresAtMs })
      count += 1
      if (count % BATCH === 0) await safe
    }
    await safe
    return count
  } finally {
    await pump.close()
  }
}

async function* linesOf(io: CliIo): AsyncGenerator<string> {
  const splitter = new LineSplitter({
    maxBytes: MAX_LINE_BYTES,
    tooLong: () => {
      throw new BackhaulError(
        'INVALID_MESSAGE',
        'Cannot import a line: it is longer than any message, leave it out',
      )
    },
  })
  const text = (line: Uint8Array) => Buffer.from(line).toString()
  for await (const chunk of io.stdin) yield* splitter.push(chunk).map(text)
  yield* splitter.end().map(text)
}

function parse(line: string, number: number): z.output<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line))
  } catch (error) {
    throw new BackhaulError(
      'INVALID_MESSAGE',
      `Cannot import line ${number}: it is not a line of backhaul outbox export, leave it out`,
      error,
    )
  }
}
