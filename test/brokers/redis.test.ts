import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { startRedis, without } from './index.ts'

test(
  'startRedis() listens in plaintext and with client certificates, knows its users, and survives a kill',
  { skip: without('redis-server', 'redis-cli') },
  async () => {
    await using server = await startRedis({
      users: { default: 'off', ann: 'on >secret ~a.* -@all +@stream' },
      proxied: ['tls'],
    })
    const { pki } = server
    const cli = async (kind: 'plain' | 'tls', ...words: string[]) => {
      const place = ['-h', '127.0.0.1', '-p', String(server.port(kind)), '--no-auth-warning']
      const { stdout } = await promisify(execFile)('redis-cli', [...place, ...words])
      return stdout.trim()
    }
    const ann = ['--user', 'ann', '--pass', 'secret']
    const { cert, key } = await pki.client('edge-1')
    const trust = ['--tls', '--cacert', pki.ca]
    const add = ['XADD', 'a.1', '*', 'metadata', 'hello']

    assert.match(await cli('plain', ...ann, ...add), /^\d+-\d+$/)
    assert.match(await cli('tls', ...trust, '--cert', cert, '--key', key, ...ann, ...add), /^\d+-\d+$/)
    assert.match(await cli('plain', ...ann, 'XADD', 'b.1', '*', 'a', 'b'), /^NOPERM/)
    assert.match(await cli('plain', ...add), /^NOAUTH/)
    await assert.rejects(cli('tls', ...trust, ...ann, ...add))
    assert.ok(server.proxy('tls').accepted > 0, 'nobody came through the proxy')

    await server.kill()
    await server.restart()
    assert.equal(await server.cli('XLEN', 'a.1'), '2')
  },
)
