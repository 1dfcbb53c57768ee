import type { Runner } from '../../../src/contract/conformance/index.ts'
import type { Adaptor, Capabilities, Deliveries, Delivery, Link } from '../../../src/contract/index.ts'
import type { MemoryOptions } from '../../../src/adaptors/memory/index.ts'
import type { MemoryHarness } from '../../adaptors/memory/harness.ts'
import { memoryHarness } from '../../adaptors/memory/harness.ts'

/** Changes a harness so that its adaptor breaks the contract. */
export type Breaking = (harness: MemoryHarness) => MemoryHarness

/** Breaks something of the adaptor itself. */
export function breakAdaptor(
  change: (adaptor: MemoryHarness['adaptor']) => Partial<Adaptor<MemoryOptions>>,
): Breaking {
  return (harness) => ({ ...harness, adaptor: { ...harness.adaptor, ...change(harness.adaptor) } })
}

/** Breaks something of every link. */
export function breakLinks(change: (link: Link) => Partial<Link>): Breaking {
  return breakAdaptor((adaptor) => ({
    dial: async (request: Parameters<typeof adaptor.dial>[0], signal: AbortSignal) => {
      const link = await adaptor.dial(request, signal)
      return withChange(link, change(link))
    },
  }))
}

/** A link with some of it replaced. */
function withChange(link: Link, change: Partial<Link>): Link {
  return {
    capabilities: link.capabilities,
    peer: link.peer,
    lost: link.lost,
    publish: (batch, settle, signal) => link.publish(batch, settle, signal),
    subscribe: (topics, options, signal) => link.subscribe(topics, options, signal),
    close: () => link.close(),
    ...change,
  }
}

/** Breaks something of every delivery. */
export function breakDeliveries(change: (delivery: Delivery) => Partial<Delivery>): Breaking {
  return breakLinks((link) => ({
    subscribe: async (topics, options, signal) => {
      const stream = await link.subscribe(topics, options, signal)
      return mapped(stream, (delivery) => withDelivery(delivery, change(delivery)))
    },
  }))
}

/** A delivery with some of it replaced. */
export function withDelivery(delivery: Delivery, change: Partial<Delivery>): Delivery {
  const { topic, payload, key, headers, id, position, redelivered, retained } = delivery
  return {
    topic,
    payload,
    key,
    headers,
    id,
    position,
    redelivered,
    retained,
    ack: () => delivery.ack(),
    nack: (delayMs) => delivery.nack(delayMs),
    ...change,
  }
}

/** Another broker behind the same harness: it can do less than the adaptor says. */
export function weaker(
  { adaptor: { capabilities }, promises }: MemoryHarness,
  really: Partial<Capabilities>,
): MemoryHarness {
  const weak = memoryHarness({ capabilities: really }, promises)
  const dial: MemoryHarness['adaptor']['dial'] = async (request, signal) =>
    withChange(await weak.adaptor.dial(request, signal), { capabilities })
  return { ...weak, adaptor: { ...weak.adaptor, capabilities, dial } }
}

/** A stream with every delivery changed. */
export function mapped(stream: Deliveries, change: (delivery: Delivery) => Delivery): Deliveries {
  return {
    async next() {
      const result = await stream.next()
      return result.done === true ? result : { done: false, value: change(result.value) }
    },
    async return() {
      await stream.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** What a run of the suite came to. */
export interface Report {
  readonly passed: string[]
  readonly failed: string[]
  readonly skipped: string[]
  readonly errors: Map<string, unknown>
}

/** A test runner that runs one behaviour after another and writes down what happened. */
export function collecting(): { readonly runner: Runner; readonly report: () => Promise<Report> } {
  const result: Report = { passed: [], failed: [], skipped: [], errors: new Map() }
  let chain = Promise.resolve()
  const runner: Runner = (name, run) => {
    chain = chain.then(async () => {
      let skipped = false
      try {
        await run({ skip: () => (skipped = true) })
        if (skipped) result.skipped.push(name)
        else result.passed.push(name)
      } catch (error) {
        result.failed.push(name)
        result.errors.set(name, error)
      }
    })
  }
  return {
    runner,
    async report() {
      await chain
      return result
    },
  }
}

/** Says that it can do less than it does: the behaviours for such adaptors look at it then. */
export function claiming(claimed: Partial<Capabilities>): Breaking {
  return (harness) => {
    const capabilities = { ...harness.adaptor.capabilities, ...claimed }
    const dial: MemoryHarness['adaptor']['dial'] = async (request, signal) =>
      withChange(await harness.adaptor.dial(request, signal), { capabilities })
    return { ...harness, adaptor: { ...harness.adaptor, capabilities, dial } }
  }
}
