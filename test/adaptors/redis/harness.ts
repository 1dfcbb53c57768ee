import type { RedisOptions } from '../../../src/adaptors/redis/index.ts'
import { redis } from '../../../src/adaptors/redis/index.ts'
import type { Harness } from '../../../src/contract/conformance/index.ts'
import type { DialRequest } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'
import type { RedisListener, RedisServer } from '../../brokers/index.ts'
import { freePorts } from '../../brokers/index.ts'
import type { PairFiles } from '../../pki.ts'
import { requestFor, tlsFrom } from './support.ts'

/** User and password of the harness's clients over TLS. */
export const USER = { user: 'edge', password: 'hunter2-redis' } as const
/** What that user may do: all there is to do with some streams, and nothing else, not even PING. */
export const RULES = `on >${USER.password} ~t.* -@all +@stream`

/** Silence that is noticed soon enough to wait for it. */
const QUICK = { keepAliveMs: 400, commandTimeoutMs: 1500, readBlockMs: 200, claimIdleMs: 2000 } as const

/** A Redis as the conformance suite wants it. The broker is started when the first test runs. */
export function redisHarness(server: () => RedisServer, listener: RedisListener): Harness<RedisOptions> {
  const isTls = listener === 'tls'
  const proxy = () => server().proxy(listener)
  let serial = 0
  const unique = (label: string) => `t.${listener}.${label}-${Date.now().toString(36)}-${(serial += 1)}`

  async function client(
    password: string = USER.password,
    pair?: PairFiles,
  ): Promise<DialRequest<RedisOptions>> {
    const { pki } = server()
    return requestFor(server().url(listener), {
      options: { ...QUICK, maxMessageBytes: 1_000_000 },
      tls: isTls ? tlsFrom(pki.ca, pair ?? (await pki.client('edge-1'))) : undefined,
      auth: isTls || password !== USER.password ? { user: USER.user, password } : undefined,
    })
  }

  return {
    adaptor: redis,
    promises: {
      acknowledgedSurvivesKill: true,
      acknowledgedSurvivesRestart: true,
      durableBy: 'group',
      largePayloadBytes: 900_000,
      refusedPayloadBytes: 1_000_001,
      keepAliveMs: QUICK.keepAliveMs,
      freezeNoticedMs: 4000,
    },
    client: () => client(),
    stranger: () => client('wrong'),
    async unreachable() {
      const [port = 0] = await freePorts(1)
      const request = await client()
      return { ...request, options: { ...request.options, hosts: [{ host: '127.0.0.1', port }] } }
    },
    topic: unique,
    group: unique,
    badTopics: ['', '\ud800'],
    ...(isTls && { forbidden: { publish: 'forbidden', subscribe: 'forbidden' } }),
    configurations: [
      { address: parseAddress('redis://a'), config: {} },
      { address: parseAddress('rediss://a'), config: {} },
      { address: parseAddress('redis://a/3'), config: {} },
      { address: parseAddress('redis://a,b:6380'), config: {} },
      { address: parseAddress('redis://a?consumer=me'), config: {} },
      { address: parseAddress('redis://a'), config: { maxStreamLength: 1000 } },
    ],
    secrets: [USER.password],
    faults: {
      cut: () => proxy().cut(),
      reset: () => proxy().reset(),
      delay: (ms) => proxy().delay(ms),
      freeze: (on) => proxy().freeze(on),
      kill: () => server().kill(),
      restart: () => server().restart(),
    },
    openSockets: () => proxy().connections,
  }
}
