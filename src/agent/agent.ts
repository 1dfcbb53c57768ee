import { join } from 'node:path'

import type { Action, Clock, Logger, OutboundMessage, Timer } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { CommandJournal, Dispatcher, pingAction } from '../actions/index.ts'
import type { Config, ConnectionConfig, RouteConfig } from '../config/index.ts'
import { loadProperties } from '../config/index.ts'
import { suggestion } from '../kit/nearest.ts'
import { systemClock } from '../kit/system-clock.ts'
import { ulids } from '../kit/ulid.ts'
import { packageVersion } from '../kit/version.ts'
import { CommandChannel } from './command-channel.ts'
import type { AgentHealth } from './health.ts'
import { overallStatus } from './health.ts'
import { InputRunner } from './input-runner.ts'
import { createInput } from './inputs/index.ts'
import { pause, unlessAborted } from './pause.ts'
import { routeLines } from './routes.ts'
import { Uplink } from './uplink.ts'

/** What an agent uses of its surroundings. */
export interface AgentOptions {
  /** Where it tells what happens. */
  readonly logger: Logger
  /** Where the lines of a `stdin` input come from. @default an empty stream */
  readonly stdin?: AsyncIterable<Uint8Array>
  /** @default the machine's clock */
  readonly clock?: Clock
  /** For the jitter of retries: from 0 to 1. @default Math.random */
  readonly random?: () => number
  /** Where outboxes lie that name no folder of their own. @default none: they are in memory */
  readonly stateFolder?: string
  /** What commands can name, beside `ping`. @default none */
  readonly actions?: readonly Action[]
}

/** How long stopping may take. */
export interface StopOptions {
  /** How long to wait for what is pending, in milliseconds. @default 10_000 */
  readonly drainTimeoutMs?: number
}

/** Running commands have so long to end, in milliseconds, once the agent stops; then they are told to. */
const COMMAND_GRACE_MS = 2000
/** Flags that no event tells of, such as parked topics, are looked at so often, in milliseconds. */
const WATCH_MS = 5000

/**
 * The daemon: inputs, routes, connections and commands as the configuration names them.
 *
 * States: made; started, with everything running; stopping; stopped. It starts whether or not a broker is there.
 * Nothing that comes from an input or a broker ends it.
 */
export class Agent {
  readonly #config: Config
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #options: AgentOptions
  readonly #version = packageVersion()
  readonly #startedAt: number
  readonly #stopInputs = new AbortController()
  readonly #stopCommands = new AbortController()
  readonly #stopActions = new AbortController()
  readonly #uplinks = new Map<string, Uplink>()
  readonly #inputs = new Map<string, InputRunner>()
  readonly #channels: CommandChannel[] = []
  #journal: CommandJournal | undefined
  #inputsDone: Promise<unknown> = Promise.resolve()
  #channelsDone: Promise<unknown> = Promise.resolve()
  #watching: Timer | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #stopped = false

  /** Use `createAgent()`. */
  constructor(config: Config, options: AgentOptions) {
    this.#config = config
    this.#options = options
    this.#logger = options.logger
    this.#clock = options.clock ?? systemClock
    this.#startedAt = this.#clock.monotonic()
  }

  /**
   * Starts everything. Resolves once it runs, which does not wait for any broker.
   *
   * @throws BackhaulError `OUTBOX_IN_USE`, `OUTBOX_FAILED`; `INVALID_OPTIONS`, `INVALID_ADDRESS`, `PLAINTEXT_CREDENTIALS`, `DRIVER_MISSING` for a connection that can never
   * work as it is configured; everything is closed again then.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Whether the agent comes to an end by itself: it has inputs, and each of them ends.
   */
  get finite(): boolean {
    return this.#inputs.size > 0 && [...this.#inputs.values()].every((input) => input.finite)
  }

  /**
   * Waits until every input has ended and nothing is pending.
   *
   * @throws BackhaulError the first failure of an input; the signal's reason when it aborts first
   */
  async finished(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#inputsDone, signal)
    for (const uplink of this.#uplinks.values()) await uplink.client.drain(signal)
    const failure = [...this.#inputs.values()]
      .map((input) => input.failure)
      .find((error) => error !== undefined)
    if (failure !== undefined) throw failure
  }

  /**
   * Stops: inputs first, then commands, then it waits for what is pending, at most `drainTimeoutMs`, and closes the connections.
   * Twice is fine. Never rejects.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options)
    return this.#stopping
  }

  /** How everything is, now. */
  health(): AgentHealth {
    const parts = {
      connections: Object.fromEntries([...this.#uplinks].map(([name, uplink]) => [name, uplink.health])),
      inputs: Object.fromEntries([...this.#inputs].map(([name, input]) => [name, input.health])),
      commands: this.#channels.map((channel) => channel.health),
    }
    return {
      status: this.#stopped ? 'stopped' : overallStatus(parts),
      device: this.#config.device.id,
      version: this.#version,
      uptimeSeconds: Math.round((this.#clock.monotonic() - this.#startedAt) / 1000),
      ...parts,
    }
  }

  /** Writes the health to the log, as one line. */
  logHealth(): void {
    this.#logger.info({ health: this.health() }, 'health')
  }

  async #start(): Promise<void> {
    try {
      for (const [name, connection] of Object.entries(this.#config.connections)) {
        this.#uplinks.set(name, await this.#openUplink(name, connection))
      }
      await this.#startCommands()
      this.#startInputs()
    } catch (error) {
      this.#abortAll()
      await this.#closeUplinks(0)
      await this.#journal?.close()
      throw error
    }
    this.#watch()
    this.#logger.info({ device: this.#config.device.id, version: this.#version }, 'agent runs')
  }

  #openUplink(name: string, connection: ConnectionConfig): Promise<Uplink> {
    const { stateFolder } = this.#options
    const folder = stateFolder === undefined ? undefined : join(stateFolder, this.#config.device.id)
    return Uplink.open(name, connection, this.#logger, this.#clock, folder)
  }

  async #startCommands(): Promise<void> {
    this.#journal = await this.#openJournal()
    const deviceId = this.#config.device.id
    const actions = [
      pingAction({ version: this.#version, clock: this.#clock }),
      ...(this.#options.actions ?? []),
    ]
    const dispatcher = new Dispatcher({
      actions,
      deviceId,
      clock: this.#clock,
      signal: this.#stopActions.signal,
      journal: this.#journal,
    })
    const nextId = ulids(() => this.#clock.now())
    for (const { connection, topics, replyTopic, policy, format, group, sensors } of this.#config.commands) {
      this.#channels.push(
        new CommandChannel({
          connection,
          client: this.#uplink(connection).client,
          topics: topics.map((topic) => topic.replaceAll('{device}', deviceId)),
          replyTopic: replyTopic?.replaceAll('{device}', deviceId),
          format,
          group,
          sensors,
          allow: policy?.allow,
          dispatcher,
          journal: this.#journal,
          nextId,
          deviceId,
          logger: this.#logger,
          clock: this.#clock,
        }),
      )
    }
    this.#channelsDone = Promise.all(this.#channels.map((channel) => channel.run(this.#stopCommands.signal)))
  }

  /** Commands are remembered where the agent has a place for it. */
  async #openJournal(): Promise<CommandJournal | undefined> {
    const { stateFolder } = this.#options
    if (stateFolder === undefined || this.#config.commands.length === 0) return undefined
    return CommandJournal.open({ file: join(stateFolder, this.#config.device.id, 'commands.journal') })
  }

  #startInputs(): void {
    const now = () => this.#clock.now()
    const nextId = ulids(now)
    for (const [name, options] of Object.entries(this.#config.inputs)) {
      const routes = this.#config.routes
        .filter((route) => route.from === name)
        .map(({ to, topic, payload, key, converter }) => {
          const { client } = this.#uplink(to)
          const send = (message: OutboundMessage) => client.send(message)
          return { topic, payload, key, converter: converter && converterOf(converter), send }
        })
      const context = { deviceId: this.#config.device.id, input: name, schema: options.schema, nextId, now }
      const runner = new InputRunner({
        name,
        input: createInput(name, options, {
          stdin: this.#options.stdin ?? nothing(),
          clock: this.#clock,
          logger: this.#logger,
        }),
        handle: routeLines(routes, context),
        maxLineBytes: options.maxLineBytes,
        joinsObjects: options.schema === 'deepstream',
        logger: this.#logger,
        clock: this.#clock,
        random: this.#options.random ?? Math.random,
      })
      this.#inputs.set(name, runner)
    }
    const runs = [...this.#inputs.values()].map((input) => input.run(this.#stopInputs.signal))
    this.#inputsDone = Promise.all(runs)
  }

  /** Looks at what no event tells of, until the agent stops. */
  #watch(): void {
    if (this.#stopInputs.signal.aborted) return
    for (const uplink of this.#uplinks.values()) uplink.watchFlags()
    this.#watching = this.#clock.after(WATCH_MS, () => this.#watch(), true)
  }

  async #stop({ drainTimeoutMs = 10_000 }: StopOptions): Promise<void> {
    const endsAt = this.#clock.monotonic() + drainTimeoutMs
    this.#stopInputs.abort()
    this.#stopCommands.abort()
    this.#watching?.cancel()
    await this.#starting?.catch(() => undefined) // told to whoever called start()
    const graceMs = Math.min(COMMAND_GRACE_MS, drainTimeoutMs / 2)
    const grace = this.#clock.after(graceMs, () => this.#stopActions.abort())
    const quiet = Promise.all([this.#inputsDone, this.#channelsDone])
    // a full outbox may hold the last lines up: closing the connections ends that wait
    const waited = new AbortController()
    await Promise.race([quiet, pause(drainTimeoutMs, this.#clock, waited.signal)])
    waited.abort()
    grace.cancel()
    this.#abortAll()
    await this.#closeUplinks(Math.max(0, Math.round(endsAt - this.#clock.monotonic())))
    await quiet
    await this.#journal?.close()
    this.#stopped = true
    this.logHealth()
  }

  #abortAll(): void {
    this.#stopInputs.abort()
    this.#stopCommands.abort()
    this.#stopActions.abort()
  }

  async #closeUplinks(drainTimeoutMs: number): Promise<void> {
    await Promise.all([...this.#uplinks.values()].map((uplink) => uplink.close(drainTimeoutMs)))
  }

  #uplink(name: string): Uplink {
    const uplink = this.#uplinks.get(name)
    if (uplink !== undefined) return uplink
    throw new BackhaulError(
      'INVALID_CONFIG',
      `Cannot use the connection "${name}": the configuration names no such one${suggestion(name, this.#uplinks.keys())}`,
    )
  }
}

/** The converter's options, with its file of properties read. */
function converterOf({ properties, ...rest }: NonNullable<RouteConfig['converter']>) {
  return { ...rest, properties: properties === undefined ? undefined : loadProperties(properties) }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // no stdin was handed over: it is at its end
}

/** Makes an agent of a checked configuration; `start()` sets it going. */
export function createAgent(config: Config, options: AgentOptions): Agent {
  return new Agent(config, options)
}
