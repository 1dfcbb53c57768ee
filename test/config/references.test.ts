import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import fc from 'fast-check'

import { GOOD, lint, problemsOf } from './lint.ts'

const folder = mkdtempSync(join(tmpdir(), 'backhaul-references-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'id'), 'gate-8\r\n')
writeFileSync(join(folder, 'binary'), Buffer.from([0xff, 0xfe]))

test('lintConfig() replaces references to variables and files, whole or in the middle of a text', async () => {
  const text = GOOD.replace('id: gate-7', "id: '${file:id}'").replace(
    'memory:cloud',
    "'memory:${env:BROKER}-${env:SITE}'",
  )
  const { config, problems } = await lint(text, { folder, env: { BROKER: 'cloud', SITE: 'north' } })
  assert.deepEqual(problems, [])
  assert.equal(config?.device.id, 'gate-8')
  assert.equal(config?.connections['cloud']?.url, 'memory:cloud-north')
})

test('lintConfig() takes numbers and flags from references', async () => {
  const text = GOOD.replace('type: stdin', "type: tcp, port: '${env:PORT}'").replace(
    'url: memory:cloud',
    "url: memory:cloud\n    allowPlaintextCredentials: '${env:PLAIN}'",
  )
  const { config } = await lint(text, { env: { PORT: '7000', PLAIN: 'true' } })
  const input = config?.inputs['camera']
  assert.equal(input?.type === 'tcp' && input.port, 7000)
  assert.equal(config?.connections['cloud']?.allowPlaintextCredentials, true)
})

test('lintConfig() takes $${ for the text itself', async () => {
  const { config } = await lint(GOOD.replace('memory:cloud', () => "'memory:$${env:X}'"))
  assert.equal(config?.connections['cloud']?.url, 'memory:${env:X}')
})

const MISTAKES: readonly (readonly [written: string, problem: string])[] = [
  [
    '${env:BROKR}',
    '5:10 "connections.cloud.url" cannot be read: "${env:BROKR}" names a variable that is not set, set it, or did you mean "BROKER"?',
  ],
  [
    '${env:toString}',
    '5:10 "connections.cloud.url" cannot be read: "${env:toString}" names a variable that is not set, set it',
  ],
  [
    '${file:url}',
    `5:10 "connections.cloud.url" cannot be read: "\${file:url}" is not there, make "${folder}/url" or mend the path, which is relative to the configuration file`,
  ],
  [
    '${file:.}',
    `5:10 "connections.cloud.url" cannot be read: "\${file:.}" is a folder, name a file in "${folder}"`,
  ],
  [
    '${file:binary}',
    '5:10 "connections.cloud.url" cannot be read: "${file:binary}" is not UTF-8 text, name a text file',
  ],
  [
    '${BROKER}',
    '5:10 "connections.cloud.url" cannot be read: "${BROKER}" is no reference, write ${env:NAME} or ${file:path}, or $${ for the text itself',
  ],
  ['${env:BROKER', '5:10 "connections.cloud.url" cannot be read: "${env:BROKER" has no "}" at its end'],
]

for (const [written, problem] of MISTAKES) {
  test(`lintConfig() says what is wrong with ${written}, once`, async () => {
    const text = GOOD.replace('memory:cloud', () => `'${written}'`)
    assert.deepEqual(await problemsOf(text, { folder, env: { BROKER: 'cloud' } }), [problem])
  })
}

test('lintConfig() shows no value of a reference, whatever is wrong with it and wherever it stands', async () => {
  // letters that no message of ours is made of
  const secret = fc.stringMatching(/^[A-Z0-9/?#@:% ]{0,3}QXZ[A-Z0-9/?#@:% ]{0,8}$/)
  const places = [
    (text: string) => text.replace('memory:cloud', "'${env:SECRET}'"),
    (text: string) => text.replace('memory:cloud', "'mqtt://user:${env:SECRET}@broker.example:99999'"),
    (text: string) => text.replace('memory:cloud', "'memory:cloud?clientIdd=${env:SECRET}'"),
    (text: string) => text.replace('memory:cloud', "'memory:cloud?${env:SECRET}=1'"),
    (text: string) =>
      text.replace(
        'memory:cloud',
        "memory:cloud\n    auth: { user: '${env:SECRET}', pasword: '${env:SECRET}' }",
      ),
    (text: string) =>
      text.replace(
        'memory:cloud',
        "memory:cloud\n    tls: { minVersion: '${env:SECRET}', key: '${env:SECRET}' }",
      ),
    (text: string) => text.replace('memory:cloud', "memory:cloud\n    maxRetries: '${env:SECRET}'"),
    (text: string) => text.replace('cameras/{sensorId}', '#/${env:SECRET}/{sensorId}'),
    (text: string) => text.replace('detection-minimal', "'${env:SECRET}'"),
    (text: string) => text.replace('from: camera', "from: '${env:SECRET}'"),
    (text: string) => text.replace('gate-7', "'${env:SECRET}'"),
    (text: string) => text.replace('type: stdin', "type: file, path: '${env:SECRET}'"),
  ]
  await fc.assert(
    fc.asyncProperty(secret, fc.constantFrom(...places), async (secret, place) => {
      const { problems } = await lint(place(GOOD), { env: { SECRET: secret } })
      for (const { message } of problems) assert.ok(!/qxz/i.test(message), message)
    }),
    { numRuns: 500 },
  )
})
