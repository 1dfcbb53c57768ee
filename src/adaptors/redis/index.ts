import type { Adaptor, DialRequest, Link } from '../../contract/index.ts'
import { systemClock } from '../../kit/system-clock.ts'
import { checkTlsAgrees } from '../shared/tls-agreement.ts'
import { aborted } from './errors.ts'
import type { RedisOptions } from './options.ts'
import { readRedisOptions, REDIS_SCHEMES, redisSignature } from './options.ts'
import { loadDriver } from './session/driver.ts'
import { openLink, REDIS_CAPABILITIES } from './session/link.ts'
import { checkStreamName } from './topic.ts'

export type { RedisOptions, RedisScheme } from './options.ts'
export { REDIS_SCHEMES, redisOptionsSchema } from './options.ts'

/** Streams of Redis 7 and Valkey. See README.md beside this file. */
export const redis: Adaptor<RedisOptions> = {
  protocol: 'redis',
  schemes: { redis: 'plaintext', rediss: 'tls' },
  capabilities: REDIS_CAPABILITIES,
  options: readRedisOptions,
  signature: redisSignature,
  checkTopic: checkStreamName,
  dial,
}

async function dial(request: DialRequest<RedisOptions>, signal: AbortSignal): Promise<Link> {
  const { options, tls, auth } = request
  checkTlsAgrees(options.scheme, REDIS_SCHEMES[options.scheme].secure, tls, 'rediss')
  const driver = await loadDriver()
  if (signal.aborted) throw aborted('dial')
  return openLink({ driver, options, tls, auth, clock: systemClock }, signal)
}
