import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { startKafka, withoutKafka } from './index.ts'

const skip = withoutKafka('kcat')

test(
  'startKafka() listens with client certificates and passwords, keeps its rights, and survives a kill',
  { skip },
  async () => {
    await using broker = await startKafka({ users: { ann: 'secret' }, proxied: ['mutual'] })
    const { admin, pki } = broker
    const edge = await pki.client('edge-1')
    const other = await pki.client('edge-2')
    await admin.createTopic('a.1')
    await admin.allow('edge-1', 'write topic a.*', 'read topic a.*')
    await admin.allow('ann', 'write topic a.*')
    const set = (...pairs: string[]) => pairs.flatMap((pair) => ['-X', pair])
    const ca = `ssl.ca.location=${pki.ca}`
    const mutual = ({ cert, key }: typeof edge) => {
      return set(ca, 'security.protocol=ssl', `ssl.certificate.location=${cert}`, `ssl.key.location=${key}`)
    }
    const password = (word: string, protocol: string) => {
      const login = ['sasl.mechanisms=PLAIN', 'sasl.username=ann', `sasl.password=${word}`]
      return set(ca, `security.protocol=${protocol}`, ...login)
    }
    const produce = (kind: 'plain' | 'mutual' | 'saslTls' | 'saslPlain', ...words: string[]) => {
      const address = `127.0.0.1:${broker.port(kind)}`
      const timeouts = set('message.timeout.ms=4000', 'reconnect.backoff.max.ms=500')
      const running = promisify(execFile)('kcat', ['-P', '-b', address, '-t', 'a.1', ...timeouts, ...words], {
        timeout: 20_000,
      })
      running.child.stdin?.end('hello\n')
      return running
    }

    await produce('plain')
    await produce('mutual', ...mutual(edge))
    await produce('saslTls', ...password('secret', 'sasl_ssl'))
    await produce('saslPlain', ...password('secret', 'sasl_plaintext'))
    await assert.rejects(
      produce('mutual', ...mutual(other)),
      /authorization failed|Local: Message timed out/i,
    )
    await assert.rejects(produce('mutual', ...set(ca, 'security.protocol=ssl')))
    await assert.rejects(produce('saslTls', ...password('wrong', 'sasl_ssl')))
    assert.ok(broker.proxy('mutual').accepted > 0, 'nobody came through the proxy')

    await broker.kill()
    await broker.restart()
    const from = ['-C', '-e', '-q', '-b', `127.0.0.1:${broker.port('plain')}`, '-t', 'a.1']
    const read = await promisify(execFile)('kcat', from)
    assert.deepEqual(read.stdout.trim().split('\n'), ['hello', 'hello', 'hello', 'hello'])
  },
)
