import { generate } from 'mqtt-packet'
import type { ISubscription } from 'mqtt-packet'

import type { Deliveries, SubscribeOptions } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { checkTopicFilter } from '../topic-filter.ts'
import type { Inbound } from './inbound.ts'
import type { Output } from './output.ts'
import { Reader } from './reader.ts'
import { FAILURE, refusal } from './reasons.ts'
import type { Granted, Requests } from './requests.ts'
import type { Qos, SessionFacts } from './settings.ts'
import { SignalWatch } from '../signal-watch.ts'

const SHARED = '$share/'

/*
 * Some brokers handle the packets of one read side by side, so that an UNSUBSCRIBE may overtake the SUBSCRIBE before it.
 * So what concerns one filter is done one after the other: each step waits for the broker's answer to the step before.
 * Different filters do not wait for each other.
 */

/** Subscribes at the broker and leaves again. */
export class Subscriber {
  readonly #output: Output
  readonly #inbound: Inbound
  readonly #requests: Requests
  readonly #facts: SessionFacts
  readonly #qos: Qos
  /** The last step of each filter that is not answered yet. */
  readonly #steps = new Map<string, Promise<void>>()
  /** What is to be done when a signal aborts: one listener a signal, however many subscriptions it has. */
  readonly #aborts = new Map<AbortSignal, Set<() => void>>()
  readonly #signals = new SignalWatch((signal) => {
    for (const abort of this.#aborts.get(signal) ?? []) abort()
  })
  #end: BackhaulError | undefined

  constructor(output: Output, inbound: Inbound, requests: Requests, facts: SessionFacts, qos: Qos) {
    this.#output = output
    this.#inbound = inbound
    this.#requests = requests
    this.#facts = facts
    this.#qos = qos
  }

  /** See `Link.subscribe`. */
  async subscribe(
    topics: readonly string[],
    options: SubscribeOptions,
    signal: AbortSignal,
  ): Promise<Deliveries> {
    const texts = this.#texts(topics, options.group)
    if (this.#end !== undefined) throw this.#end
    if (signal.aborted) throw aborted()
    const reader = new Reader(this.#inbound, {
      maxInWork: options.maxInWork,
      shared: texts.some((text) => text.startsWith(SHARED)),
    })
    const gaveUp = deferred<never>()
    // after the grant nobody waits for it any more
    gaveUp.promise.catch(() => undefined)
    const onAbort = (): void => {
      void reader.return()
      gaveUp.reject(aborted())
    }
    reader.onEnd = this.#onAbort(signal, onAbort)
    try {
      await Promise.race([this.#before(texts), gaveUp.promise])
      if (this.#end !== undefined) throw this.#end
      const granted = this.#ask(texts, reader)
      this.#step(texts, Promise.allSettled(granted.map(({ answer }) => answer)))
      this.#inbound.release()
      for (const { filters, answer } of granted) {
        this.#judge(filters, await Promise.race([answer, gaveUp.promise]))
      }
      return reader
    } catch (error) {
      // what was granted is given back; nobody waits for that
      void reader.return()
      throw error
    }
  }

  /** Takes a reader out; resolves once the broker has confirmed, or the link has ended. */
  async leave(reader: Reader): Promise<void> {
    const filters = this.#inbound.subscriptions.remove(reader)
    this.#inbound.dismiss(reader)
    if (this.#end !== undefined || filters.length === 0) return
    const left = this.#unsubscribe(filters, this.#before(filters))
    this.#step(filters, left)
    await left
  }

  /** The link has ended. */
  end(error: BackhaulError): void {
    this.#end ??= error
    this.#signals.close()
    this.#aborts.clear()
  }

  /** Listens to a signal; the function that comes back stops that. */
  #onAbort(signal: AbortSignal, abort: () => void): () => void {
    const all = this.#aborts.get(signal) ?? new Set()
    this.#aborts.set(signal, all.add(abort))
    this.#signals.add(signal)
    return () => {
      all.delete(abort)
      if (all.size === 0) this.#aborts.delete(signal)
      this.#signals.release(signal)
    }
  }

  #texts(topics: readonly string[], group: string | undefined): string[] {
    if (topics.length === 0) {
      throw new BackhaulError('INVALID_TOPIC', 'Cannot subscribe: no topic is given, name at least one')
    }
    if (group !== undefined && !this.#facts.sharedSubscriptions) {
      const who =
        this.#facts.level === 5 ? 'the broker has no shared subscriptions' : 'MQTT 3.1.1 has no groups'
      throw new BackhaulError(
        'UNSUPPORTED',
        `Cannot subscribe in the group "${group}": ${who}, leave the group out`,
      )
    }
    const texts = topics.map((topic) => {
      checkTopicFilter(topic)
      if (group === undefined) return topic
      const text = `${SHARED}${group}/${topic}`
      if (topic.startsWith(SHARED) || group.includes('/')) {
        throw new BackhaulError(
          'INVALID_TOPIC',
          `Cannot subscribe to "${topic}" in the group "${group}": a group is one word, and is named once`,
        )
      }
      checkTopicFilter(text)
      return text
    })
    return [...new Set(texts)]
  }

  async #unsubscribe(filters: string[], before: Promise<unknown>): Promise<void> {
    await before
    if (this.#end !== undefined) return
    const { packetId, answer } = this.#requests.open('unsuback')
    this.#output.append(
      generate(
        { cmd: 'unsubscribe', messageId: packetId, unsubscriptions: filters },
        { protocolVersion: this.#facts.level },
      ),
    )
    await answer.catch(() => undefined)
  }

  /** Resolves when no step of these filters is under way. Never rejects. */
  async #before(filters: readonly string[]): Promise<void> {
    for (;;) {
      const open = filters.map((filter) => this.#steps.get(filter)).filter((step) => step !== undefined)
      if (open.length === 0) return
      await Promise.all(open)
    }
  }

  #step(filters: readonly string[], work: Promise<unknown>): void {
    const step: Promise<void> = work.then(
      () => this.#done(filters, step),
      () => this.#done(filters, step),
    )
    for (const filter of filters) this.#steps.set(filter, step)
  }

  #done(filters: readonly string[], step: Promise<void>): void {
    for (const filter of filters) if (this.#steps.get(filter) === step) this.#steps.delete(filter)
  }

  /** Sends SUBSCRIBE: one for each filter where each has an identifier of its own, else one for all. */
  #ask(texts: readonly string[], reader: Reader): { filters: readonly string[]; answer: Promise<Granted> }[] {
    const filters = texts.map((text) => this.#inbound.subscriptions.add(text, reader))
    if (this.#facts.subscriptionIdentifiers) {
      return filters.map(({ text, identifier }) => ({
        filters: [text],
        answer: this.#send([text], identifier),
      }))
    }
    return [{ filters: texts, answer: this.#send(texts, undefined) }]
  }

  #send(texts: readonly string[], subscriptionIdentifier: number | undefined): Promise<Granted> {
    const { packetId, answer } = this.#requests.open('suback')
    const subscriptions = texts.map((topic): ISubscription => ({ topic, qos: this.#qos }))
    this.#output.append(
      generate(
        {
          cmd: 'subscribe',
          messageId: packetId,
          subscriptions,
          ...(subscriptionIdentifier !== undefined && { properties: { subscriptionIdentifier } }),
        },
        { protocolVersion: this.#facts.level },
      ),
    )
    return answer
  }

  #judge(filters: readonly string[], granted: Granted): void {
    for (const [index, filter] of filters.entries()) {
      const code = granted.codes[index] ?? FAILURE
      if (code < FAILURE) continue
      if (this.#facts.level === 5) throw refusal(`subscribe to "${filter}"`, code, 'topic', granted.text)
      // the one code that MQTT 3.1.1 has; brokers give it for what their access list forbids
      throw new BackhaulError(
        'NOT_AUTHORIZED',
        `Cannot subscribe to "${filter}": the broker refuses it, add the right to its access list`,
        undefined,
        { scope: 'topic', brokerReason: 'Failure' },
      )
    }
  }
}

function aborted(): BackhaulError {
  return new BackhaulError('ABORTED', 'Cannot subscribe: the caller gave up, call again')
}
