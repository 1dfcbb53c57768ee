import { isUtf8 } from 'node:buffer'

import { Command } from 'commander'

import type { Client, SubscribeOptions } from '../client/index.ts'
import type { Subscription } from '../connection/index.ts'
import type { Delivery } from '../contract/index.ts'
import type { ConnectFlags } from './connect-flags.ts'
import {
  addConnectFlags,
  connectArguments,
  connectLimit,
  noteStatus,
  warnOfPassword,
} from './connect-flags.ts'
import { startDeadline } from './deadline.ts'
import type { CliIo } from './io.ts'
import { isClosedPipe, written } from './io.ts'
import { oneLine } from './print-error.ts'
import { countArgument } from './usage.ts'

const EXAMPLES = `
One payload a line on stdout; everything else goes to stderr. A message is acknowledged once its line is written. With
--json each line is an object with topic, id, key, headers, redelivered, retained, and either payload (text) or
payloadBase64 (bytes that are no UTF-8): nothing is lost. SIGINT (Ctrl-C) and SIGTERM end it with 0.

Examples:
  backhaul sub mqtt://localhost 'site/#'
  backhaul sub mqtts://broker:8883 'site/+/detections' site/alarms --ca ca.pem --cert me.pem --key me.key --json
  backhaul sub mqtts://broker:8883 jobs --group workers --count 10 --deadline 1m --ca ca.pem`

interface SubFlags extends ConnectFlags {
  readonly count?: number
  readonly group?: string
}

/** `backhaul sub URL TOPIC...` */
export function subCommand(io: CliIo): Command {
  const command = new Command('sub')
    .summary('receive messages')
    .description('Receive messages of topics and write them to stdout, one a line.')
    .argument('<url>', 'address of the broker, for example mqtts://broker:8883')
    .argument('<topic...>', 'topics or patterns to subscribe to')
    .option('--count <n>', 'end with 0 after so many messages', countArgument)
    .option('--json', 'each message as JSON with its metadata; errors as JSON too')
    .option('--group <name>', 'share the messages with the other members of this group')
  return addConnectFlags(command)
    .addHelpText('after', EXAMPLES)
    .action((url: string, topics: string[], flags: SubFlags) => subscribe(io, url, topics, flags))
}

async function subscribe(io: CliIo, url: string, topics: readonly string[], flags: SubFlags): Promise<void> {
  const [address, options] = connectArguments(url, flags)
  warnOfPassword(url, io, flags)
  const { connect } = await import('../client/index.ts')
  const writer = new Writer(io, flags)
  const deadline = startDeadline(flags.deadline, () => `receive ${writer.summary()}`)
  const stop = new AbortController()
  const onStdoutError = (error: Error) => stop.abort(error)
  const offSignal = io.onSignal(['SIGINT', 'SIGTERM'], () => stop.abort(new Interrupted()))
  io.stdout.on('error', onStdoutError)
  try {
    const client = await connect(address, { ...options, ...connectLimit(deadline), signal: stop.signal })
    const notes = noteStatus(client, io, flags)
    try {
      await receive(client, topics, flags, writer, AbortSignal.any([deadline.signal, stop.signal]))
    } finally {
      await client.close({ drainTimeoutMs: 0 })
      await notes
    }
  } catch (error) {
    // Ctrl-C and a reader that has gone are the usual ends of a subscription
    if (!stop.signal.aborted) throw error
    if (!(stop.signal.reason instanceof Interrupted) && !isClosedPipe(stop.signal.reason))
      throw stop.signal.reason
  } finally {
    offSignal()
    io.stdout.off('error', onStdoutError)
    deadline.cancel()
  }
}

/** The reason of an end by signal. */
class Interrupted extends Error {}

async function receive(
  client: Client,
  topics: readonly string[],
  flags: SubFlags,
  writer: Writer,
  signal: AbortSignal,
): Promise<void> {
  const group = flags.group === undefined ? {} : { group: flags.group }
  // no more is taken from a shared group than will be written
  const maxInWork = flags.count === undefined ? {} : { maxInWork: Math.min(flags.count, 100) }
  const subscription = await granted(client, topics, { ...group, ...maxInWork }, signal)
  writer.note(`subscribed to ${topics.map(oneLine).join(' ')}`)
  // stopped, and never left: a lasting session keeps what was not written until the next time
  const stop = () => subscription.stop()
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  for (;;) {
    const { value: delivery, done } = await subscription.next()
    if (done === true) break
    await writer.write(delivery)
    delivery.ack()
    if (writer.count === flags.count) return
  }
  signal.throwIfAborted()
}

/** Subscribes; the signal ends the wait for the broker, and nothing later. */
async function granted(
  client: Client,
  topics: readonly string[],
  options: SubscribeOptions,
  signal: AbortSignal,
): Promise<Subscription> {
  const asking = new AbortController()
  const giveUp = () => asking.abort()
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  try {
    return await client.subscribe(topics, { ...options, signal: asking.signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Writes deliveries as lines and counts them. */
class Writer {
  readonly #io: CliIo
  readonly #flags: SubFlags
  #count = 0

  constructor(io: CliIo, flags: SubFlags) {
    this.#io = io
    this.#flags = flags
  }

  get count(): number {
    return this.#count
  }

  async write(delivery: Delivery): Promise<void> {
    if (this.#flags.json === true) {
      await written(this.#io.stdout, `${JSON.stringify(asJson(delivery))}\n`)
    } else {
      const line = new Uint8Array(delivery.payload.length + 1)
      line.set(delivery.payload)
      line[delivery.payload.length] = 0x0a
      await written(this.#io.stdout, line)
    }
    this.#count += 1
  }

  note(text: string): void {
    if (this.#flags.quiet !== true) this.#io.stderr.write(`${text}\n`)
  }

  summary(): string {
    return this.#flags.count === undefined
      ? `any longer: ${this.#count} messages came`
      : `${this.#flags.count} messages: ${this.#count} came`
  }
}

/** A delivery as `--json` writes it. */
function asJson(delivery: Delivery): Record<string, unknown> {
  const { topic, id, key, headers, redelivered, retained, payload } = delivery
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  return {
    topic,
    ...(id !== undefined && { id }),
    ...(key !== undefined && { key }),
    ...(headers !== undefined && { headers }),
    redelivered,
    retained,
    ...(isUtf8(bytes) ? { payload: bytes.toString('utf8') } : { payloadBase64: bytes.toString('base64') }),
  }
}
