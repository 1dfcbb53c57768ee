import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { test } from 'node:test'

import { ROOMS, SILOS } from './rooms.ts'
import type { SourceFile } from './source.ts'
import { projectFile, sourceFiles } from './source.ts'

/** Every import of a file that stays inside src/, as a path such as `kit/ring.ts`. */
function importsOf({ path, text }: SourceFile): string[] {
  const specifiers = text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)
  return [...specifiers].map(([, to = '']) => posix.join(posix.dirname(path), to).replace(/^src\//, ''))
}

/** Why an import breaks the table, or `undefined` where it does not. */
function objection(from: string, to: string): string | undefined {
  const [fromRoom = '', fromFolder = ''] = from.split('/')
  const [toRoom = '', toFolder = ''] = to.split('/')
  if (!to.includes('/')) return `${from} imports ${to}, which is no room`
  if (fromRoom !== toRoom) {
    const allowed = ROOMS[fromRoom]?.imports ?? []
    if (allowed.includes(toRoom)) return undefined
    if (allowed.includes('*/options.ts') && to.endsWith('/options.ts')) return undefined
    return `${from} imports ${to}: ${fromRoom}/ may not import ${toRoom}/`
  }
  const sibling = fromFolder !== toFolder && from.split('/').length > 2 && to.split('/').length > 2
  return SILOS.includes(fromRoom) && sibling && toFolder !== 'shared'
    ? `${from} imports its sibling ${to}`
    : undefined
}

test('every import obeys the room table', () => {
  const files = sourceFiles('src').filter(({ path }) => path.split('/').length > 2)
  const objections = files.flatMap((file) =>
    importsOf(file).flatMap((to) => objection(file.path.replace(/^src\//, ''), to) ?? []),
  )
  assert.deepEqual(objections, [])
})

test('every room of the table is there, and every folder is in the table', () => {
  const seen = new Set(sourceFiles('src').flatMap(({ path }) => path.split('/').slice(1, -1)[0] ?? []))
  assert.deepEqual([...seen].toSorted(), Object.keys(ROOMS).toSorted())
})

test('objection() sees a back arrow, a sibling and a stray file', () => {
  assert.match(objection('kit/ring.ts', 'client/index.ts') ?? '', /may not import/)
  assert.match(objection('adaptors/mqtt/link.ts', 'adaptors/memory/index.ts') ?? '', /sibling/)
  assert.match(objection('config/load.ts', 'client/index.ts') ?? '', /may not import/)
  assert.match(objection('kit/ring.ts', 'index.ts') ?? '', /no room/)
  assert.equal(objection('config/load.ts', 'client/options.ts'), undefined)
  assert.equal(objection('adaptors/mqtt/link.ts', 'adaptors/shared/socket.ts'), undefined)
})

test('ARCHITECTURE.md prints the same table', () => {
  const rows = [...projectFile('ARCHITECTURE.md').matchAll(/^\| `(\w+)\/` \| (.+) \| (.+) \|$/gm)]
  const printed = rows.map(([, room, holds, imports]) => ({ room, holds, imports }))
  const table = Object.entries(ROOMS).map(([room, { holds, imports }]) => ({
    room,
    holds,
    imports: imports.length === 0 ? 'nothing' : imports.join(', '),
  }))
  assert.deepEqual(printed, table)
})
