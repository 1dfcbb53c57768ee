import { readFile } from 'node:fs/promises'

import { Command, Option } from 'commander'

import type { Client } from '../client/index.ts'
import type { Headers } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { abortable } from '../kit/abortable.ts'
import { deferred } from '../kit/deferred.ts'
import { LineSplitter } from '../kit/lines.ts'
import type { ConnectFlags } from './connect-flags.ts'
import {
  addConnectFlags,
  connectArguments,
  connectLimit,
  noteStatus,
  warnOfPassword,
} from './connect-flags.ts'
import { startDeadline } from './deadline.ts'
import { interrupted } from './interrupted.ts'
import type { CliIo } from './io.ts'
import { asBackhaulError } from './print-error.ts'
import { pairArgument } from './usage.ts'

const EXAMPLES = `
One message a line of stdin, unless --message or --file is given. Each is acknowledged by the broker before the command
ends with 0; the first one that cannot be sent ends it with the exit code of its error. Empty lines are messages too.

Examples:
  backhaul pub mqtt://localhost site/1 --message '{"people":3}'
  tail -f detections.jsonl | backhaul pub mqtts://broker:8883 site/1 --ca ca.pem --cert me.pem --key me.key
  backhaul pub mqtts://broker:8883 site/1/picture --ca ca.pem --file frame.jpg -o qos=2 --deadline 5s
  backhaul pub 'mqtts://broker:8883?qos=0' site/1 --user gate --password-file pw.txt --header source=gate`

/** The longest line of stdin in bytes: the largest payload that any adaptor takes. */
const MAX_LINE_BYTES = 256 * 1024 * 1024
/** How many messages may wait for their acknowledgement before stdin is read on. */
const MAX_IN_FLIGHT = 1000

interface PubFlags extends ConnectFlags {
  readonly message?: string
  readonly file?: string
  readonly header?: Record<string, string>
  readonly messageKey?: string
}

/** `backhaul pub URL TOPIC` */
export function pubCommand(io: CliIo): Command {
  const command = new Command('pub')
    .summary('publish messages')
    .description('Publish messages to a topic and wait for the broker to acknowledge each.')
    .argument('<url>', 'address of the broker, for example mqtts://broker:8883')
    .argument('<topic>', 'topic to publish to')
    .addOption(new Option('--message <text>', 'one message with this text').conflicts('file'))
    .option('--file <file>', 'one message with the content of this file, - for all of stdin')
    .option('--header <name=value>', 'header of each message; may be given many times', pairArgument)
    .option('--message-key <key>', 'key of each message: messages of one key keep their order')
  return addConnectFlags(command)
    .option('--json', 'summary and errors as JSON, one line')
    .addHelpText('after', EXAMPLES)
    .action((url: string, topic: string, flags: PubFlags) => publish(io, url, topic, flags))
}

async function publish(io: CliIo, url: string, topic: string, flags: PubFlags): Promise<void> {
  const [address, options] = connectArguments(url, flags)
  warnOfPassword(url, io, flags)
  const { connect } = await import('../client/index.ts')
  // a file that cannot be read is found out before anybody is dialled
  const content = flags.file === undefined || flags.file === '-' ? undefined : await readPayload(flags.file)
  let publisher: Publisher | undefined
  const deadline = startDeadline(
    flags.deadline,
    () => `publish: ${publisher?.summary() ?? 'nothing was sent'}`,
  )
  const stop = new AbortController()
  const offSignal = io.onSignal(['SIGINT', 'SIGTERM'], () => stop.abort(interrupted()))
  const signal = AbortSignal.any([deadline.signal, stop.signal])
  try {
    const client = await connect(address, { ...options, ...connectLimit(deadline), signal: stop.signal })
    const notes = noteStatus(client, io, flags)
    publisher = new Publisher(client, topic, flags.messageKey, flags.header)
    const watch = endAtRefusal(client, publisher)
    try {
      if (content !== undefined) await publisher.send(content)
      else if (flags.message !== undefined) await publisher.send(flags.message)
      else if (flags.file === '-') await publisher.send(await readAll(io.stdin, signal))
      else await publisher.sendLines(io.stdin, signal)
      await publisher.settled(signal)
    } finally {
      await client.close({ drainTimeoutMs: 0 })
      await Promise.all([notes, watch])
      publisher.tell(io, flags)
    }
  } finally {
    offSignal()
    deadline.cancel()
  }
}

/** A broker that refuses us on a later link does so for a while: the command ends, and does not wait for it. */
async function endAtRefusal(client: Client, publisher: Publisher): Promise<void> {
  for await (const status of client.status()) if (status.state === 'refused') publisher.giveUp(status.error)
}

/** Sends in order with many under way, and stops at the first failure. */
class Publisher {
  readonly #client: Client
  readonly #topic: string
  readonly #key: string | undefined
  readonly #headers: Headers | undefined
  #handed = 0
  #acknowledged = 0
  #failed = 0
  #failure: BackhaulError | undefined
  #gaveUp = false
  /** Aborted by the first failure, so that nobody waits for more of stdin then. */
  readonly #broken = new AbortController()
  #wake = deferred()

  constructor(client: Client, topic: string, key: string | undefined, headers: Headers | undefined) {
    this.#client = client
    this.#topic = topic
    this.#key = key
    this.#headers = headers
  }

  /** Hands one message over; waits while too many are under way. */
  async send(payload: Uint8Array | string, signal?: AbortSignal): Promise<void> {
    this.#handed += 1
    this.#client.send({ topic: this.#topic, payload, key: this.#key, headers: this.#headers }).then(
      () => {
        this.#acknowledged += 1
        this.#wake.resolve()
      },
      (error: unknown) => {
        this.#failed += 1
        this.#failure ??= asBackhaulError(error)
        this.#broken.abort(this.#failure)
        this.#wake.resolve()
      },
    )
    while (this.#underWay >= MAX_IN_FLIGHT && !this.#gaveUp) await this.#change(signal)
  }

  async sendLines(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    let tooLong = false
    const splitter = new LineSplitter({
      maxBytes: MAX_LINE_BYTES,
      tooLong: () => {
        tooLong = true
      },
    })
    const sendAll = async (lines: Uint8Array[]) => {
      for (const line of lines) {
        if (this.#failure !== undefined) return
        await this.send(line, signal)
      }
      if (tooLong) {
        throw new BackhaulError(
          'MESSAGE_TOO_LARGE',
          `Cannot publish a line of stdin: it is longer than ${MAX_LINE_BYTES} bytes, send less`,
        )
      }
    }
    try {
      for await (const chunk of abortable(input, AbortSignal.any([signal, this.#broken.signal]))) {
        await sendAll(splitter.push(chunk))
      }
      await sendAll(splitter.end())
    } catch (error) {
      // what is under way is still waited for, and then it is told
      if (this.#failure === undefined) throw error
    }
  }

  /** Nothing more is waited for. */
  giveUp(error: BackhaulError): void {
    this.#failure ??= error
    this.#gaveUp = true
    this.#broken.abort(error)
    this.#wake.resolve()
  }

  /** Waits until every message has its outcome; throws the first failure. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#underWay > 0 && !this.#gaveUp) await this.#change(signal)
    if (this.#failure !== undefined) throw this.#failure
  }

  summary(): string {
    const others = this.#handed - this.#acknowledged
    return `${this.#acknowledged} of ${this.#handed} messages acknowledged${others === 0 ? '' : `, ${others} not`}`
  }

  tell(io: CliIo, flags: PubFlags): void {
    const counts = { sent: this.#handed, acknowledged: this.#acknowledged }
    if (flags.json === true) io.stderr.write(`${JSON.stringify(counts)}\n`)
    else if (flags.quiet !== true) io.stderr.write(`${this.summary()}\n`)
  }

  get #underWay(): number {
    return this.#handed - this.#acknowledged - this.#failed
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw signal.reason
    this.#wake = deferred()
    const wake = this.#wake
    const onAbort = () => wake.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await wake.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

async function readAll(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of abortable(input, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function readPayload(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'this user may not read it'
          : String(code)
    throw new BackhaulError(
      'FILE_UNREADABLE',
      `Cannot publish the file "${path}": ${why}, check the path and its permissions`,
      cause,
    )
  }
}
