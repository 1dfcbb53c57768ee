import type { Answer, CommandJournal, Dispatcher } from '../actions/index.ts'
import { answerOf } from '../actions/index.ts'
import type { Client, HandlerSubscription } from '../client/index.ts'
import type { Reply } from '../codec/index.ts'
import { decodeCommand, encodeReply } from '../codec/index.ts'
import type { Clock, Delivery, Logger } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import type { CommandHealth } from './health.ts'
import { shortError } from './input-runner.ts'
import { limitLog } from './log-limit.ts'
import { pause, unlessAborted } from './pause.ts'
import { RecordingCommands } from './recording-commands.ts'

/** After a refusal the subscription is tried again so much later, in milliseconds. */
const REFUSED_RETRY_MS = 60_000
/** How many commands of one channel may be in work at once. */
const CONCURRENCY = 16

/** What a {@link CommandChannel} is made of. */
export interface CommandChannelParts {
  /** The connection's name. */
  readonly connection: string
  /** The connection itself. */
  readonly client: Client
  /** Where commands arrive. */
  readonly topics: readonly string[]
  /** Where replies go; `undefined`: nobody wants them. */
  readonly replyTopic: string | undefined
  /** What commands look like. @default 'backhaul' */
  readonly format?: 'backhaul' | 'deepstream' | undefined
  /** Members of one group share the commands between them. */
  readonly group?: string | undefined
  /** Of DeepStream's commands: the number of each sensor by its id. */
  readonly sensors?: Readonly<Record<string, number>> | undefined
  /** The commands that may come this way; `undefined` for all. */
  readonly allow: readonly string[] | undefined
  /** Carries commands out. */
  readonly dispatcher: Dispatcher
  /** Remembers commands over a crash; `undefined` where there is nowhere to. */
  readonly journal: CommandJournal | undefined
  /** Makes ids of replies. */
  readonly nextId: () => string
  /** The device that answers. */
  readonly deviceId: string
  /** The log. */
  readonly logger: Logger
  /** Where time comes from. */
  readonly clock: Clock
}

/**
 * Takes the commands of one connection: each is decoded, carried out, answered on the reply topic, and acknowledged once
 * the journal has it; without a journal, or when it is not carried out, once the outbox has the reply. A message that is no command is answered too. Nothing that arrives can end it.
 */
export class CommandChannel {
  readonly #parts: CommandChannelParts
  readonly #warn: Logger['warn']
  readonly #recordings: RecordingCommands | undefined
  #subscription: HandlerSubscription | undefined
  #subscribed = false
  #received = 0
  #answered = 0
  #failed = 0
  #error: BackhaulError | undefined

  constructor(parts: CommandChannelParts) {
    this.#parts = parts
    this.#warn = limitLog((fields, text) => parts.logger.warn(fields, text), parts.clock)
    this.#recordings =
      parts.format === 'deepstream'
        ? new RecordingCommands({ ...parts, known: parts.dispatcher.known })
        : undefined
  }

  /** The channel's state and counts. */
  get health(): CommandHealth {
    return {
      connection: this.#parts.connection,
      subscribed: this.#subscribed,
      received: this.#received,
      answered: this.#answered,
      failed: this.#failed,
      lag: this.#subscription?.lag,
      error: shortError(this.#error),
    }
  }

  /** Subscribes, for as long as it takes, and works until the signal aborts and what runs has been answered. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { topics, connection, clock, logger } = this.#parts
    await this.#answerEarlier()
    while (!signal.aborted) {
      try {
        await this.#serve(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#error = known(error)
        const { code, message } = this.#error
        logger.error({ connection, topics, code, error: message }, 'commands cannot be taken')
      } finally {
        this.#subscribed = false
      }
      await pause(REFUSED_RETRY_MS, clock, signal)
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { client, topics, connection, logger, group } = this.#parts
    // the signal ends only the wait for the broker: what has been taken is still answered and acknowledged
    const subscribing = new AbortController()
    const giveUp = () => subscribing.abort()
    signal.addEventListener('abort', giveUp)
    const options = { concurrency: CONCURRENCY, signal: subscribing.signal, group }
    const subscription = await client
      .subscribe(topics, (delivery) => this.#take(delivery), options)
      .finally(() => signal.removeEventListener('abort', giveUp))
    this.#subscription = subscription
    this.#subscribed = true
    this.#error = undefined
    logger.info({ connection, topics }, 'commands are taken')
    try {
      await unlessAborted(subscription.done, signal)
    } finally {
      // not left: a lasting session keeps what comes until the agent runs again
      await subscription.stop()
    }
  }

  async #take(delivery: Delivery): Promise<void> {
    const { replyTopic, connection, nextId } = this.#parts
    // a reply of ours that a pattern brings back is no command: answering it would never end
    if (delivery.topic === replyTopic) return
    this.#received += 1
    const newId = nextId()
    const reply = await this.#answer(delivery, newId)
    const replyId = this.#entry(reply.id)?.replyId ?? newId
    if (reply.status === 'error') {
      const { code, message } = reply.error
      this.#warn({ connection, id: reply.id, command: reply.command, code, error: message }, 'command failed')
    }
    try {
      await this.#reply(reply, replyId)
    } catch (error) {
      const { code, message } = known(error)
      this.#warn({ connection, code, error: message }, 'reply was not taken, the command comes again')
      throw error
    }
  }

  /** A reply goes out under the same id each time, and is sent again after a crash until the outbox has it. */
  async #reply(reply: Reply, replyId: string): Promise<void> {
    const { client, replyTopic, journal } = this.#parts
    if (replyTopic !== undefined) {
      const message = { topic: replyTopic, payload: encodeReply(reply), id: replyId }
      await client.send(message, { priority: 'control' })
      this.#answered += 1
    }
    if (reply.status === 'error') this.#failed += 1
    if (reply.id !== undefined) await journal?.replied(reply.id).catch(() => undefined)
  }

  /** Commands of an earlier life of this process that were not answered: they are answered, and not carried out again. */
  async #answerEarlier(): Promise<void> {
    const { journal, connection } = this.#parts
    for (const entry of journal?.unreplied(this.#channel) ?? []) {
      try {
        await this.#reply(this.#replyOf(entry.id, entry.command, answerOf(entry)), entry.replyId)
      } catch (error) {
        const { code, message } = known(error)
        this.#warn(
          { connection, id: entry.id, code, error: message },
          'reply to an earlier command was not taken',
        )
      }
    }
  }

  get #channel(): string {
    return `${this.#parts.connection} ${this.#parts.replyTopic ?? ''}`
  }

  #entry(id: string | undefined) {
    return id === undefined ? undefined : this.#parts.journal?.find(id)
  }

  #replyOf(
    id: string | undefined,
    command: string | undefined,
    answer: Answer | { readonly error: BackhaulError },
  ): Reply {
    const { deviceId, clock } = this.#parts
    const head = { id, command, device: deviceId, time: new Date(clock.now()).toISOString() }
    return 'error' in answer
      ? { ...head, status: 'error', error: answer.error }
      : { ...head, status: 'ok', result: answer.result }
  }

  async #answer(delivery: Delivery, replyId: string): Promise<Reply> {
    const { dispatcher } = this.#parts
    const decoded = this.#recordings?.decode(delivery) ?? decodeCommand(delivery.payload)
    const { id, command } = decoded.ok ? decoded.command : decoded
    const way = { channel: this.#channel, replyId, accepted: () => delivery.ack() }
    const answer = decoded.ok
      ? (this.#refusal(decoded.command.command) ?? (await dispatcher.dispatch(decoded.command, way)))
      : decoded
    return this.#replyOf(id, command, answer)
  }

  #refusal(command: string): { ok: false; error: BackhaulError } | undefined {
    const { allow, connection } = this.#parts
    if (allow === undefined || allow.includes(command)) return undefined
    const error = new BackhaulError(
      'NOT_AUTHORIZED',
      `Cannot carry out "${command}": the policy of this device does not let it come over "${connection}", it allows: ${allow.join(', ') || 'nothing'}`,
    )
    return { ok: false, error }
  }
}

function known(error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new BackhaulError('INTERNAL', `Cannot take commands: ${text}, report it`, error)
}
