import process from 'node:process'

import { z } from 'zod'

import type { Client } from '../../client/index.ts'
import { connect } from '../../client/index.ts'
import { decodeReply, encodeCommand } from '../../codec/index.ts'
import type { Delivery } from '../../contract/index.ts'
import type { CloudReport } from './cloud-messages.ts'
import { cloudOrderSchema, cloudSettingsSchema } from './cloud-messages.ts'

// The demo's second process: it plays the cloud. It takes the detections of all devices, sends commands, and tells the
// demo what it sees. All of its messaging is the public library's.

/** What it reads of a CloudEvent. */
const detectionSchema = z.object({
  id: z.string(),
  time: z.string(),
  data: z.object({ objects: z.array(z.unknown()) }),
})

const sentAt = new Map<string, number>()
const seen = new Set<string>()
let lastId = ''

function tell(report: CloudReport): void {
  if (process.connected) process.send?.(report)
}

function takeDetection({ topic, payload }: Delivery): void {
  const device = topic.split('/')[1] ?? ''
  try {
    const { id, time, data } = detectionSchema.parse(JSON.parse(Buffer.from(payload).toString()))
    const repeated = seen.has(id)
    // ids of one device rise: a first arrival below an earlier one came out of order
    const inOrder = repeated || id > lastId
    seen.add(id)
    if (inOrder && !repeated) lastId = id
    tell({ report: 'detection', device, time, people: data.objects.length, repeated, inOrder })
  } catch {
    tell({ report: 'unreadable', topic })
  }
}

function takeReply({ topic, payload }: Delivery): void {
  try {
    const reply = decodeReply(payload)
    const since = sentAt.get(reply.id ?? '')
    tell({
      report: 'reply',
      id: reply.id,
      device: reply.device,
      ok: reply.status === 'ok',
      text: JSON.stringify(reply.status === 'ok' ? reply.result : reply.error),
      ...(since !== undefined && { afterMs: performance.now() - since }),
    })
  } catch {
    tell({ report: 'unreadable', topic })
  }
}

async function obey(client: Client, message: unknown): Promise<void> {
  const { id, device, order } = cloudOrderSchema.parse(message)
  sentAt.set(id, performance.now())
  await client.send({
    topic: `devices/${device}/commands`,
    payload: encodeCommand({ id, command: order, args: {} }),
  })
}

function fail(error: unknown): void {
  tell({ report: 'failed', message: error instanceof Error ? error.message : String(error) })
  process.exitCode = 1
  if (process.connected) process.disconnect()
}

async function main(): Promise<void> {
  const { url, tls } = cloudSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''))
  const client = await connect(url, { tls })
  process.once('disconnect', () => void client.close({ drainTimeoutMs: 0 }))
  process.on('message', (message) => void obey(client, message).catch(fail))
  await client.subscribe('devices/+/detections', takeDetection)
  await client.subscribe('devices/+/replies', takeReply)
  const status = client.current
  if (status.state === 'connected') tell({ report: 'ready', peer: status.peer })
}

// Ctrl-C in a terminal reaches the whole group: the demo itself ends this process by letting go of it
process.on('SIGINT', () => undefined)
main().catch(fail)
