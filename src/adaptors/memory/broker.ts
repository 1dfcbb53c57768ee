import type {
  BackhaulError,
  Capabilities,
  Clock,
  DialRequest,
  Link,
  Message,
  Outcome,
  RefusalScope,
} from '../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import { checkTopicName, matchesFilter } from '../shared/topic-filter.ts'
import { aborted, linkLost, notNow, refusedBy } from './errors.ts'
import { MemoryLink } from './link.ts'
import type { MemoryOptions } from './options.ts'
import { Queue } from './queue.ts'

/** What a broker in memory can do when nothing narrows it: everything. */
export const MEMORY_CAPABILITIES: Capabilities = {
  keepsOrderAfterFailure: true,
  reportsRefusals: true,
  carriesId: true,
  carriesKey: true,
  carriesHeaders: true,
  emptyPayload: true,
  subscribes: true,
  patterns: true,
  groups: true,
  durableSubscriptions: true,
  redelivers: true,
  parallelLinks: true,
  maxPayloadBytes: 16 * 1024 ** 2,
  maxBatchBytes: 1024 ** 2,
  maxInFlight: 10_000,
}

/** How a broker in memory is made. */
export interface MemoryBrokerSettings {
  /** Its name, for messages and status. @default "memory" */
  readonly name?: string
  /** What it can do; what is not named stays at its best. It behaves as the capabilities say. */
  readonly capabilities?: Partial<Capabilities>
  /** Where time comes from. @default the machine's own */
  readonly clock?: Clock
  /** A link whose broker is silent for about so long ends, in milliseconds. @default 30_000 */
  readonly keepAliveMs?: number
  /** A link that cannot settle a message within this time ends, in milliseconds. @default 30_000 */
  readonly publishTimeoutMs?: number
  /** How long `close()` waits for what is unsettled, in milliseconds. @default 5_000 */
  readonly closeTimeoutMs?: number
  /** At so many payload bytes in its queues it takes no more for now. @default 256 MiB */
  readonly maxQueuedBytes?: number
}

/** What a broker in memory is told to refuse. */
export interface MemoryRefusal {
  /** What it refuses: this message, its topic, or the link that it came on. */
  readonly scope: RefusalScope
  /** Only topics that this filter matches. Subscriptions to a refused topic are refused too. @default all */
  readonly topic?: string
  /** Only these messages. @default all */
  readonly when?: (message: Message) => boolean
  /** What it says. @default `NOT_AUTHORIZED` for a topic, `REFUSED` else */
  readonly error?: BackhaulError
}

/** Makes a broker that lives in this process. It lives as long as somebody holds it. */
export function createMemoryBroker(settings: MemoryBrokerSettings = {}): MemoryBroker {
  return new MemoryBroker(settings)
}

/**
 * A broker in memory: the reference of what an adaptor owes, and the double for the rooms above. It keeps topics by the
 * rules of MQTT, answers later and never inside a call, and does what brokers do on bad days when it is told to.
 *
 * Everything happens in its turns: what links hand in is looked at in the next one. While it is frozen it has none.
 */
export class MemoryBroker {
  /** What it can do. */
  readonly capabilities: Capabilities
  /** Its place, for messages and status. */
  readonly address: string
  /** Its settings, with every default filled in. */
  readonly settings: Required<Omit<MemoryBrokerSettings, 'capabilities'>>
  readonly #links = new Set<MemoryLink>()
  readonly #queues = new Set<Queue>()
  readonly #rules = new Set<MemoryRefusal>()
  #dials = new Set<() => void>()
  #turn: { cancel(): void } | undefined
  #sequence = 0
  #delayMs = 0
  #frozen = false
  #down = false
  #holding = false
  #failures = 0
  #accepts: (request: DialRequest<MemoryOptions>) => boolean = () => true

  /** Use {@link createMemoryBroker}. */
  constructor(settings: MemoryBrokerSettings) {
    const { capabilities, ...rest } = settings
    this.capabilities = Object.freeze({ ...MEMORY_CAPABILITIES, ...capabilities })
    this.settings = {
      name: 'memory',
      clock: systemClock,
      keepAliveMs: 30_000,
      publishTimeoutMs: 30_000,
      closeTimeoutMs: 5000,
      maxQueuedBytes: 256 * 1024 ** 2,
      ...rest,
    }
    this.address = `memory:${this.settings.name}`
  }

  /** How many links are open. */
  get links(): number {
    return this.#links.size
  }

  /** Whether it answers nobody now. */
  get frozen(): boolean {
    return this.#frozen
  }

  /** Whether it keeps its acknowledgements to itself now. */
  get holdsAcknowledgements(): boolean {
    return this.#holding
  }

  /** Opens a link, as the adaptor's `dial()` does. */
  async dial(request: DialRequest<MemoryOptions>, signal: AbortSignal): Promise<Link> {
    await this.#nextTurn(signal)
    if (this.#down) {
      throw new Failure('UNREACHABLE', `Cannot connect to "${this.address}": it is down, start it`)
    }
    if (!this.#accepts(request)) {
      throw new Failure(
        'BAD_CREDENTIALS',
        `Cannot connect to "${this.address}": it refused the credentials, check user and password`,
        undefined,
        { scope: 'link', brokerReason: 'bad credentials' },
      )
    }
    const { clientId } = request.options
    for (const link of this.#links) {
      if (link.clientId === clientId && (clientId !== undefined || !this.capabilities.parallelLinks)) {
        link.end(linkLost(this.address, 'another link of the same client took its place'))
      }
    }
    const link = new MemoryLink(this, clientId)
    this.#links.add(link)
    return link
  }

  /** Decides who may dial from now on. `false`: nobody. */
  acceptCredentials(accepts: boolean | ((request: DialRequest<MemoryOptions>) => boolean)): void {
    this.#accepts = typeof accepts === 'boolean' ? () => accepts : accepts
  }

  /** Refuses messages, topics or links until the function that it gives back is called. */
  refuse(refusal: MemoryRefusal): () => void {
    const rule = { ...refusal }
    this.#rules.add(rule)
    return () => this.#rules.delete(rule)
  }

  /** Fails the next `count` messages, as a broker that is not able now. */
  failNext(count: number): void {
    this.#failures = count
  }

  /** On: messages are taken and handed on, and nobody is told so. Off: all acknowledgements go out. */
  holdAcknowledgements(on: boolean): void {
    this.#holding = on
    this.wake()
  }

  /** On: links stay open and nothing is answered, taken or delivered. Off: it goes on where it was. */
  freeze(on: boolean): void {
    this.#frozen = on
    this.wake()
  }

  /** Every turn comes `ms` milliseconds later. 0 switches it off. */
  delay(ms: number): void {
    this.#delayMs = ms
    this.#turn?.cancel()
    this.#turn = undefined
    this.wake()
  }

  /** Ends every link. What waits in queues that outlive a link stays. */
  cut(): void {
    for (const link of this.#links) link.end(linkLost(this.address, 'the link was cut'))
  }

  /** Goes away: ends every link and answers no dial, until `up()`. */
  down(): void {
    this.#down = true
    this.cut()
  }

  /** Comes back, with every queue that outlives a link. */
  up(): void {
    this.#down = false
    this.freeze(false)
  }

  /** `down()` and `up()` at once. */
  restart(): void {
    this.down()
    this.up()
  }

  /** Has it look at its links and queues in its next turn. For links and queues. */
  wake(): void {
    if (this.#turn !== undefined || this.#frozen) return
    if (this.#delayMs > 0) {
      this.#turn = this.settings.clock.after(this.#delayMs, () => this.#work())
      return
    }
    const immediate = setImmediate(() => this.#work())
    this.#turn = { cancel: () => clearImmediate(immediate) }
  }

  /** Calls `task` once after `delayMs`. For queues; it does not keep the process alive. */
  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.settings.clock.after(delayMs, task, true)
  }

  /** Forgets a link that ended. For links. */
  forget(link: MemoryLink): void {
    this.#links.delete(link)
  }

  /** Takes a message and says what became of it. For links. */
  take(message: Message): Outcome {
    const wrong = this.#fault(message)
    if (wrong !== undefined) return { kind: 'refused', scope: 'message', error: wrong }
    if (this.#failures > 0) {
      this.#failures -= 1
      return { kind: 'failed', error: notNow(message.topic, 'the broker was told to fail') }
    }
    for (const rule of this.#rules) {
      if (rule.topic !== undefined && !matchesFilter(rule.topic, message.topic)) continue
      if (rule.when?.(message) === false) continue
      // who does not report refusals drops in silence
      if (!this.capabilities.reportsRefusals && rule.scope !== 'link') return DELIVERED
      const error = rule.error ?? refusedBy(rule.scope, message.topic)
      return { kind: 'refused', scope: rule.scope, error }
    }
    let queuedBytes = message.payload.length
    for (const queue of this.#queues) queuedBytes += queue.bytes
    if (queuedBytes > this.settings.maxQueuedBytes) {
      return { kind: 'failed', error: notNow(message.topic, 'the queues of the broker are full') }
    }
    this.#sequence += 1
    for (const queue of this.#queues) {
      if (queue.matches(message.topic)) queue.add(this.#sequence, message)
    }
    this.wake()
    return DELIVERED
  }

  /** Why a subscription to these topics is refused, if it is. For links. */
  refusalOf(topics: readonly string[]): BackhaulError | undefined {
    for (const { scope, topic, error } of this.#rules) {
      const refused = topics.find(
        (name) => topic === undefined || topic === name || matchesFilter(topic, name),
      )
      if (scope === 'topic' && refused !== undefined) return error ?? refusedBy('topic', refused)
    }
    return undefined
  }

  /** The queues of a subscription: found again where they outlived a link, made where they are new. For links. */
  queuesOf(
    topics: readonly string[],
    group: string | undefined,
    clientId: string | undefined,
  ): readonly Queue[] {
    if (group !== undefined) {
      return topics.map((topic) => this.#queue([topic], (queue) => queue.group === group, group, undefined))
    }
    const mine = (queue: Queue) =>
      clientId !== undefined && queue.clientId === clientId && queue.members.length === 0
    return [this.#queue(topics, mine, undefined, clientId)]
  }

  /** Ends a queue that nobody takes from, unless it outlives its members. For links. */
  release(queue: Queue, left: boolean): void {
    if (queue.members.length > 0) return
    const durable = this.capabilities.durableSubscriptions
    // leaving ends a subscription; a group is more than its members
    if (durable && (queue.group !== undefined || (queue.clientId !== undefined && !left))) return
    queue.end()
    this.#queues.delete(queue)
  }

  #queue(
    topics: readonly string[],
    fits: (queue: Queue) => boolean,
    group: string | undefined,
    clientId: string | undefined,
  ): Queue {
    for (const queue of this.#queues) {
      if (fits(queue) && queue.topics.join('\0') === topics.join('\0')) return queue
    }
    const queue = new Queue(this, topics, group, clientId)
    this.#queues.add(queue)
    return queue
  }

  #work(): void {
    this.#turn = undefined
    if (this.#frozen) return
    const dials = this.#dials
    this.#dials = new Set()
    for (const proceed of dials) proceed()
    for (const link of this.#links) link.work()
    for (const queue of this.#queues) queue.dispatch()
  }

  #nextTurn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#dials.delete(proceed)
        reject(aborted(`connect to "${this.address}"`, signal))
      }
      const proceed = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      if (signal.aborted) {
        giveUp()
        return
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#dials.add(proceed)
      this.wake()
    })
  }

  #fault(message: Message): BackhaulError | undefined {
    const { maxPayloadBytes, emptyPayload } = this.capabilities
    const { topic, payload } = message
    if (payload.length > maxPayloadBytes) {
      return new Failure(
        'MESSAGE_TOO_LARGE',
        `Cannot publish to "${topic}": the payload has ${payload.length} bytes and ${maxPayloadBytes} are allowed, send less`,
        undefined,
        { scope: 'message' },
      )
    }
    if (payload.length === 0 && !emptyPayload) {
      return new Failure(
        'INVALID_MESSAGE',
        `Cannot publish to "${topic}": the payload is empty and this broker takes none such, send at least a byte`,
        undefined,
        { scope: 'message' },
      )
    }
    try {
      checkTopicName(topic)
      return undefined
    } catch (error) {
      return error instanceof Failure ? error : new Failure('INVALID_TOPIC', String(error), error)
    }
  }
}
