import { after, before, describe } from 'node:test'

import type { RedisServer } from '../../brokers/index.ts'
import { startRedis, without } from '../../brokers/index.ts'
import { acceptanceTests } from './acceptance.ts'
import { mistakesTests } from './mistakes.ts'
import { publishingTests } from './publishing.ts'
import { subscribingTests } from './subscribing.ts'
import { PASSWORD } from './support.ts'

describe('redis at a real broker', { skip: without('redis-server', 'redis-cli') }, () => {
  let server: RedisServer | undefined
  const started = () => {
    if (server === undefined) throw new Error('The broker is not started')
    return server
  }
  before(async () => {
    server = await startRedis({
      users: {
        default: `on >${PASSWORD} ~* &* +@all`,
        ann: `on >${PASSWORD} ~* &* +@all`,
        narrow: `on >${PASSWORD} ~n.* -@all +xadd +xreadgroup +xack +xclaim +xautoclaim`,
        gone: `off >${PASSWORD} ~* &* +@all`,
      },
    })
  })
  after(() => server?.stop())

  describe('mistakes', () => mistakesTests(started))
  describe('publishing', () => publishingTests(started))
  describe('subscribing', () => subscribingTests(started))
  describe('acceptance', () => acceptanceTests(started))
})
