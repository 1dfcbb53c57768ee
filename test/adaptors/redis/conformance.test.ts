import process from 'node:process'
import { after, before, describe, test } from 'node:test'

import { conformance } from '../../../src/contract/conformance/index.ts'
import type { RedisServer } from '../../brokers/index.ts'
import { startRedis, without } from '../../brokers/index.ts'
import { redisHarness, RULES, USER } from './harness.ts'

const mode = process.env['CONFORMANCE'] === 'stress' ? 'stress' : 'normal'

describe('redis conforms', { skip: without('redis-server', 'redis-cli') }, () => {
  let server: RedisServer | undefined
  const started = () => {
    if (server === undefined) throw new Error('The broker is not started')
    return server
  }
  before(async () => {
    server = await startRedis({ users: { [USER.user]: RULES }, proxied: ['plain', 'tls'] })
  })
  after(() => server?.stop())

  describe('in plaintext', () => conformance(redisHarness(started, 'plain'), test, mode))
  describe('over mutual TLS, with the rights of a user', () => {
    conformance(redisHarness(started, 'tls'), test, mode)
  })
  describe('over mutual TLS while things fail', () => {
    conformance(redisHarness(started, 'tls'), test, 'outage')
  })
})
