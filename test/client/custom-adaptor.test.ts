import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { createMemoryBroker, memoryAdaptor } from '../../src/adaptors/memory/index.ts'
import { connect } from '../../src/client/index.ts'
import { lintConfig, loadConfig } from '../../src/config/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { resolveTarget } from '../../src/client/index.ts'
import { projectRoot } from '../architecture/source.ts'

const MEMORY = pathToFileURL(join(projectRoot, 'build/src/adaptors/memory/index.js')).href
/** A module that serves addresses of its own, over the broker in memory. */
const MODULE = `import { memory } from ${JSON.stringify(MEMORY)}
export const adaptor = {
  ...memory,
  protocol: 'pigeon',
  schemes: { pigeon: 'process' },
  options: (address, config) => memory.options({ ...address, scheme: 'memory' }, config),
}
`

/** A folder with a module `pigeon.js`, and with other text for other names. */
function folderWith(files: Readonly<Record<string, string>>): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'backhaul-adaptor-'))
  for (const [name, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    writeFileSync(join(path, name), text)
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('connect() uses the adaptor that a module exports, named by an absolute or a relative path', async () => {
  using folder = folderWith({ 'pigeon.js': MODULE })
  const file = join(folder.path, 'pigeon.js')
  for (const adaptor of [file, `./${relative(process.cwd(), file)}`]) {
    await using client = await connect('pigeon:loft', { adaptor })
    await client.send({ topic: 'a', payload: 'x' })
    assert.equal(client.account.delivered, 1)
  }
})

test('connect() takes an adaptor as a value', async () => {
  const adaptor = memoryAdaptor(createMemoryBroker())
  await using client = await connect('memory:mine', { adaptor })
  await client.send({ topic: 'a', payload: 'x' })
  assert.equal(client.account.delivered, 1)
})

test('connect() says which schemes a custom adaptor serves, when the address has another', async () => {
  const adaptor = memoryAdaptor(createMemoryBroker())
  await assert.rejects(connect('mqtts://broker', { adaptor }), {
    code: 'INVALID_ADDRESS',
    message: /"mqtts" is unknown, known are memory/,
  })
})

test('connect() says why a module cannot be loaded', async () => {
  using folder = folderWith({ 'broken.js': 'export const adaptor = {' })
  for (const adaptor of ['./no/such/file.js', 'no-such-package', join(folder.path, 'broken.js')]) {
    await assert.rejects(connect('pigeon:loft', { adaptor }), (error) => {
      assert.ok(error instanceof BackhaulError)
      assert.equal(error.code, 'DRIVER_MISSING')
      assert.ok(error.message.includes(adaptor), error.message)
      return true
    })
  }
})

test('connect() names every member of an export that does not keep the contract', async () => {
  using folder = folderWith({
    'none.js': 'export default {}',
    'half.js':
      "export const adaptor = { protocol: 'x', schemes: { x: 'radio' }, capabilities: { maxInFlight: 0, groups: 1 }, dial() {} }",
  })
  await assert.rejects(connect('x:y', { adaptor: join(folder.path, 'none.js') }), {
    code: 'INVALID_OPTIONS',
    message: /the export named "adaptor"/,
  })
  await assert.rejects(connect('x:y', { adaptor: join(folder.path, 'half.js') }), (error) => {
    assert.ok(error instanceof BackhaulError)
    for (const member of [
      '"schemes"',
      '"capabilities.maxInFlight"',
      '"capabilities.groups"',
      '"options"',
      '"checkTopic"',
    ]) {
      assert.ok(error.message.includes(member), `${member} in ${error.message}`)
    }
    assert.ok(!error.message.includes('"dial"'))
    return true
  })
})

test("the agent's file names a custom adaptor by a path from its own folder, and a mistake is told at its line", async () => {
  using folder = folderWith({ 'pigeon.js': MODULE })
  const file = join(folder.path, 'agent.yml')
  const text = (adaptor: string) =>
    `version: 1\ndevice: { id: d }\nconnections:\n  loft:\n    url: pigeon:loft\n    adaptor: ${adaptor}\n`
  writeFileSync(file, text('./pigeon.js'))
  const { config } = await loadConfig(file, { resolve: resolveTarget, env: {} })
  assert.equal(config.connections['loft']?.adaptor, join(folder.path, 'pigeon.js'))
  writeFileSync(file, text('./dove.js'))
  const { problems } = await lintConfig(
    { text: text('./dove.js'), name: file },
    { resolve: resolveTarget, env: {} },
  )
  const errors = problems.filter(({ severity }) => severity === 'error')
  assert.deepEqual(
    errors.map(({ line }) => line),
    [6],
  )
  assert.match(errors[0]?.message ?? '', /dove\.js/)
})
