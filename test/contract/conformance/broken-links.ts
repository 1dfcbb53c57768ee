import type { Link, Message, Outcome } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { MemoryHarness } from '../../adaptors/memory/harness.ts'
import { memoryHarness } from '../../adaptors/memory/harness.ts'
import type { Broken } from './broken-adaptors.ts'
import { breakAdaptor, breakLinks, claiming, weaker } from './breaking.ts'

type Request = Parameters<MemoryHarness['adaptor']['dial']>[0]

const never = new AbortController().signal

/** Timers that a broken adaptor has left behind, for the test to stop. */
export const leaked: NodeJS.Timeout[] = []

/** Faults of dialling, refusing and ending. */
export const BROKEN_LINKS: readonly Broken[] = [
  {
    fault: 'refuses the topic of a message that is too large',
    found: ['a message that is too large is refused by itself, and the link lives'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, (index, outcome) => settle(index, onTopic(outcome)), signal)
      },
    })),
  },
  {
    fault: 'ends the link for a message that is too large',
    found: ['a message that is too large is refused by itself, and the link lives'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, settle, signal)
        if (batch.some(isTooLarge)) void link.close()
      },
    })),
  },
  {
    fault: 'takes any topic',
    found: ['a bad topic is refused by checkTopic() and by the link, which lives'],
    breaking: breakAdaptor(() => ({ checkTopic: () => undefined })),
  },
  {
    fault: 'throws from publish() on a dead link',
    found: ['publishing on a link that has ended fails everything, once'],
    breaking: breakLinks((link) => {
      let dead = false
      void link.lost.then(() => (dead = true))
      return {
        publish: (batch, settle, signal) => {
          if (dead) throw new BackhaulError('LINK_LOST', 'Cannot publish: the link is lost')
          link.publish(batch, settle, signal)
        },
      }
    }),
  },
  {
    fault: 'ignores that dial() was aborted',
    found: ['aborting dial() rejects with ABORTED', 'aborting dial() works while the broker is silent'],
    breaking: breakAdaptor((adaptor) => ({
      dial: (request: Request) => adaptor.dial(request, never),
    })),
  },
  {
    fault: 'leaves the socket of an aborted dial open',
    found: ['no socket is left after close(), an aborted dial and a loss'],
    breaking: breakAdaptor((adaptor) => ({
      dial: async (request: Request, signal: AbortSignal) => {
        const link = await adaptor.dial(request, never)
        if (signal.aborted) throw new BackhaulError('ABORTED', 'Cannot connect: the caller gave up')
        return link
      },
    })),
  },
  {
    fault: 'leaves a timer behind',
    found: ['no timer is left after close()'],
    breaking: breakLinks(() => {
      leaked.push(setTimeout(() => undefined, 3_600_000))
      return {}
    }),
  },
  {
    fault: 'hangs in close() while the broker is silent',
    found: ['close() works while the broker is silent, and fails what is unsettled'],
    breaking: (harness) =>
      memoryHarness({ closeTimeoutMs: 3_600_000, keepAliveMs: 3_600_000 }, harness.promises),
  },
  {
    fault: 'hangs in the second close()',
    found: ['close() may be called twice, and at once'],
    breaking: breakLinks((link) => {
      let asked = false
      return {
        close: () => {
          if (asked) return new Promise(() => undefined)
          asked = true
          return link.close()
        },
      }
    }),
  },
  {
    fault: 'ends without waiting for what is on its way',
    found: ['close() waits until what was published is settled'],
    breaking: (harness) =>
      breakLinks((link) => ({
        close: () => {
          harness.broker.cut()
          return link.close()
        },
      }))(harness),
  },
  {
    fault: 'never says that it is lost',
    found: [
      'lost settles with CLOSED after close()',
      'lost settles when the line is cut, and everything ends with it',
    ],
    breaking: breakLinks(() => ({ lost: new Promise(() => undefined) })),
  },
  {
    fault: 'calls every end CLOSED',
    found: ['lost settles when the line is cut, and everything ends with it'],
    breaking: breakLinks((link) => ({
      lost: link.lost.then(() => new BackhaulError('CLOSED', 'Cannot go on: the link is closed')),
    })),
  },
  {
    fault: 'gives errors of others',
    found: [
      'a place where nothing answers rejects with UNREACHABLE',
      'every error has a code of the closed list and a text without secrets',
    ],
    breaking: breakAdaptor((adaptor) => ({
      dial: async (request: Request, signal: AbortSignal) => {
        try {
          return await adaptor.dial(request, signal)
        } catch (error) {
          throw new Error('connect ECONNREFUSED', { cause: error })
        }
      },
    })),
  },
  {
    fault: 'tells the password',
    found: ['every error has a code of the closed list and a text without secrets'],
    breaking: breakAdaptor((adaptor) => ({
      dial: async (request: Request, signal: AbortSignal) => {
        try {
          return await adaptor.dial(request, signal)
        } catch (error) {
          if (!(error instanceof BackhaulError)) throw error
          const { user = '', password = '' } = request.auth ?? {}
          throw new BackhaulError(
            error.code,
            `Cannot connect as ${user}:${password}: it failed, try again`,
            error,
          )
        }
      },
    })),
  },
  {
    fault: 'has one signature for all',
    found: ['signatures are equal for equal options only, and hold no secret'],
    breaking: breakAdaptor(() => ({ signature: () => 'memory' })),
  },
  {
    fault: 'has a link that can do more than its adaptor says',
    found: ['a link narrows the capabilities of its adaptor and never widens them'],
    breaking: breakAdaptor((adaptor) => ({ capabilities: { ...adaptor.capabilities, groups: false } })),
  },
  {
    fault: 'ends the older link of a client',
    found: ['two links of one client leave each other alone'],
    breaking: (harness) => weaker(harness, { parallelLinks: false }),
  },
  {
    fault: 'does not notice that the broker is silent',
    mode: 'outage',
    found: [
      'an idle link notices a silent broker within its time',
      'a link with messages on their way notices a silent broker',
    ],
    breaking: (harness) => memoryHarness({ keepAliveMs: 3_600_000 }, harness.promises),
  },
  {
    fault: 'ends at the first silence',
    mode: 'outage',
    found: ['a short silence of the broker ends no link'],
    breaking: (harness) => memoryHarness({ keepAliveMs: 2 }, harness.promises),
  },
  {
    fault: 'has no patience with a slow line',
    mode: 'outage',
    found: ['under load, nothing is lost or doubled when the line is slow'],
    breaking: (harness) => memoryHarness({ publishTimeoutMs: 10 }, harness.promises),
  },
  {
    fault: 'forgets what is unsettled when it ends',
    mode: 'outage',
    found: ['a link settles everything at its end, however it ends'],
    breaking: breakLinks((link) => ({
      publish: (batch, settle, signal) => {
        link.publish(batch, (index, outcome) => outcome.kind !== 'failed' && settle(index, outcome), signal)
      },
    })),
  },
  {
    fault: 'dials again by itself',
    mode: 'outage',
    found: ['a dial during an outage rejects, and works when it is over'],
    breaking: breakAdaptor((adaptor) => ({
      dial: (request, signal) => dialForEver(adaptor, request, signal),
    })),
  },
  {
    fault: 'cannot dial ten times at once',
    found: ['40 dials and closes at once come to an end'],
    breaking: breakAdaptor((adaptor) => {
      let dialling = 0
      return {
        dial: async (request: Request, signal: AbortSignal) => {
          dialling += 1
          if (dialling > 10) return new Promise(() => undefined)
          return adaptor.dial(request, signal).finally(() => (dialling -= 1))
        },
      }
    }),
  },
  {
    fault: 'lets strangers in',
    found: ['refused credentials reject with a code that says so'],
    breaking: breakAdaptor((adaptor) => ({
      dial: (request: Request, signal: AbortSignal) => adaptor.dial({ ...request, auth: undefined }, signal),
    })),
  },
  {
    fault: 'does not know who is at the other end',
    found: ['the peer says who is at the other end'],
    breaking: breakLinks(() => ({ peer: { protocol: 'memory', address: '', tls: undefined } })),
  },
  {
    fault: 'drops in silence what the broker refuses',
    found: ['publishing to a forbidden topic is refused with scope topic, and the link lives'],
    breaking: (harness) => weaker(harness, { reportsRefusals: false }),
  },
  {
    fault: 'takes an empty payload that it cannot send',
    found: ['an empty payload is refused by itself where it cannot be sent'],
    breaking: claiming({ emptyPayload: false }),
  },
  {
    fault: 'subscribes in groups that it does not know',
    found: ['what the capabilities deny rejects with UNSUPPORTED or INVALID_TOPIC'],
    breaking: claiming({ groups: false }),
  },
]

async function dialForEver(
  adaptor: MemoryHarness['adaptor'],
  request: Request,
  signal: AbortSignal,
): Promise<Link> {
  for (;;) {
    try {
      return await adaptor.dial(request, signal)
    } catch (error) {
      if (!(error instanceof BackhaulError) || error.code !== 'UNREACHABLE') throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

function isTooLarge({ payload }: Message): boolean {
  return payload.length > 16 * 1024 ** 2
}

function onTopic(outcome: Outcome): Outcome {
  return outcome.kind === 'refused' ? { ...outcome, scope: 'topic' } : outcome
}
