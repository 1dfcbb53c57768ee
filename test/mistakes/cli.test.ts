import assert from 'node:assert/strict'
import { test } from 'node:test'

import { cli } from '../cli/fake-io.ts'

interface Mistake {
  readonly name: string
  readonly args: readonly string[]
  readonly code: number
  readonly says: RegExp
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'an unknown command',
    args: ['pubb', 'memory:x', 'a'],
    code: 64,
    says: /^error USAGE: .*unknown command "pubb", did you mean "pub"\?/,
  },
  {
    name: 'an unknown option',
    args: ['pub', 'memory:x', 'a', '--deadlien', '5s'],
    code: 64,
    says: /^error USAGE: .*unknown option "--deadlien", did you mean "--deadline"\?/,
  },
  {
    name: 'an option of the protocol that was given as one of the command',
    args: ['pub', 'memory:x', 'a', '--qos', '2'],
    code: 64,
    says: /^error USAGE: .*unknown option "--qos", options of the protocol are given as -o qos=VALUE/,
  },
  {
    name: 'a missing topic',
    args: ['pub', 'memory:x'],
    code: 64,
    says: /^error USAGE: .*missing required argument "topic", see backhaul pub --help/,
  },
  {
    name: 'an option without its value',
    args: ['sub', 'memory:x', 'a', '--count'],
    code: 64,
    says: /^error USAGE: .*"--count <n>" argument missing/,
  },
  {
    name: 'a length of time that is none',
    args: ['sub', 'memory:x', 'a', '--deadline', 'soon'],
    code: 64,
    says: /^error USAGE: .*"soon".*for example 500ms, 5s, 2m or 1h/,
  },
  {
    name: 'a count that is none',
    args: ['sub', 'memory:x', 'a', '--count', '0'],
    code: 64,
    says: /^error USAGE: .*"0".*whole number from 1/,
  },
  {
    name: 'an option of the protocol without a value',
    args: ['pub', 'memory:x', 'a', '-o', 'qos'],
    code: 64,
    says: /^error USAGE: .*name=value/,
  },
  {
    name: 'one argument too many',
    args: ['pub', 'memory:x', 'a', 'b'],
    code: 64,
    says: /^error USAGE: .*too many arguments for "pub"/,
  },
  {
    name: 'two sources of the message',
    args: ['pub', 'memory:x', 'a', '--message', 'x', '--file', 'y'],
    code: 64,
    says: /^error USAGE: .*"--message <text>" cannot be used with option "--file <file>"/,
  },
  {
    name: 'an address without a scheme',
    args: ['pub', 'broker/1883', 'a', '--message', 'x'],
    code: 64,
    says: /^error INVALID_ADDRESS: Cannot use the address "broker\/1883"/,
  },
  {
    name: 'an address with an unknown scheme',
    args: ['sub', 'mqts://localhost', 'a'],
    code: 64,
    says: /^error INVALID_ADDRESS: .*"mqts" is unknown, did you mean "mqtts"\?/,
  },
  {
    name: 'an address where the command should be, without its password',
    args: ['mqtt://me:hunter2@broker', 'a'],
    code: 64,
    says: /^error USAGE: .*unknown command "mqtt:\/\/me:\*\*\*@broker"/,
  },
  {
    name: 'TLS files with a plaintext address',
    args: ['pub', 'mqtt://localhost', 'a', '--message', 'x', '--ca', 'ca.pem'],
    code: 64,
    says: /^error INVALID_OPTIONS: .*mqtt:\/\/ is plaintext, write mqtts:\/\//,
  },
  {
    name: 'a password for another machine in plaintext',
    args: ['pub', 'mqtt://me:hunter2@broker.example', 'a', '--message', 'x'],
    code: 78,
    says: /^error PLAINTEXT_CREDENTIALS: .*broker\.example/m,
  },
  {
    name: 'a password file without a user',
    args: ['pub', 'mqtts://localhost', 'a', '--message', 'x', '--password-file', 'pw'],
    code: 64,
    says: /^error USAGE: .*no user is named, add --user NAME/,
  },
  {
    name: 'a file to publish that is not there',
    args: ['pub', 'memory:x', 'a', '--file', '/nowhere/x'],
    code: 66,
    says: /^error FILE_UNREADABLE: Cannot publish the file "\/nowhere\/x": there is no such file/,
  },
  {
    name: 'a configuration that is not there',
    args: ['run', '/nowhere/edge.yaml'],
    code: 66,
    says: /error FILE_UNREADABLE: .*\/nowhere\/edge\.yaml/,
  },
  {
    name: 'a CA file that is not there',
    args: ['pub', 'mqtts://127.0.0.1:1', 'a', '--message', 'x', '--ca', '/nowhere/ca.pem'],
    code: 66,
    says: /^error FILE_UNREADABLE: .*\/nowhere\/ca\.pem/m,
  },
  {
    name: 'a port where nobody listens',
    args: ['pub', 'mqtt://127.0.0.1:1', 'a', '--message', 'x', '--deadline', '300ms'],
    code: 69,
    says: /^error UNREACHABLE: .*127\.0\.0\.1:1/m,
  },
  {
    name: 'a host name that does not resolve',
    args: ['pub', 'mqtt://no-such-host.invalid', 'a', '--message', 'x', '--deadline', '1s'],
    code: 69,
    says: /^error NAME_NOT_FOUND: .*no-such-host\.invalid/m,
  },
]

for (const { name, args, code, says } of MISTAKES) {
  test(`the command line tells of ${name}`, async () => {
    const ended = await cli(...args)
    assert.match(ended.err, says)
    assert.equal(ended.code, code, ended.err)
    assert.equal(ended.out, '')
    assert.doesNotMatch(ended.err, /hunter2/)
  })
}

test('the command line without a command shows its help as an error', async () => {
  const ended = await cli()
  assert.equal(ended.code, 64)
  assert.match(ended.err, /Usage: backhaul/)
})

test('errors are one line of JSON with --json', async () => {
  const ended = await cli('sub', 'mqts://localhost', 'a', '--json')
  const { error }: { error: { code: string; exitCode: number } } = JSON.parse(ended.err)
  assert.deepEqual([error.code, error.exitCode, ended.code], ['INVALID_ADDRESS', 64, 64])
})
