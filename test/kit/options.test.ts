import assert from 'node:assert/strict'
import { test } from 'node:test'

import { z } from 'zod'

import { BackhaulError } from '../../src/contract/index.ts'
import { durationOption, flagOption, integerOption, readOptions } from '../../src/kit/options.ts'

const schema = z.strictObject({
  qos: integerOption(0, 2).default(1),
  waitMs: durationOption(1, 60_000).optional(),
  clean: flagOption.default(true),
  version: z.enum(['5', '3.1.1']).optional(),
  will: z.strictObject({ topic: z.string() }).optional(),
  list: z
    .record(z.string().regex(/^[a-z]+$/, 'must be lower case'), z.strictObject({ url: z.string() }))
    .optional(),
  level: z.enum(['debug', 'info']).optional(),
  from: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('stdin') }),
      z.strictObject({ type: z.literal('file'), path: z.string() }),
    ])
    .optional(),
})

test('readOptions() takes values as they are and as text', () => {
  assert.deepEqual(readOptions(schema, { qos: '2', waitMs: '5s', clean: 'false' }, 'x'), {
    qos: 2,
    waitMs: 5000,
    clean: false,
  })
  assert.deepEqual(readOptions(schema, { qos: 0, waitMs: 20 }, 'x'), { qos: 0, waitMs: 20, clean: true })
})

const MISTAKES: readonly (readonly [input: unknown, phrase: RegExp])[] = [
  [{ qso: 1 }, /"qso" is unknown, did you mean "qos"\?/],
  [{ zebra: 1 }, /"zebra" is unknown, known are qos, waitMs, clean/],
  [{ qos: 3 }, /"qos" .*<=2/],
  [{ qos: 'high' }, /"qos" must be a whole number/],
  [{ waitMs: 'soon' }, /"waitMs" must be a length of time such as/],
  [{ clean: 'yes' }, /"clean" must be/],
  [{ version: '4' }, /"version" must be one of "5"\|"3.1.1"/],
  [{ will: {} }, /"will.topic" is missing/],
  [{ will: { topik: 'a', topic: 'b' } }, /"will.topik" is unknown, did you mean "topic"\?/],
  [{ list: { a: { ulr: 'x', url: 'y' } } }, /"list.a.ulr" is unknown, did you mean "url"\?/],
  [{ list: { A1: { url: 'y' } } }, /"list.A1" cannot be a name here: must be lower case/],
  [{ level: 'inof' }, /"level" must be one of "debug"\|"info", did you mean "info"\?/],
  [{ waitMs: '99999999999999999999d' }, /"waitMs" must be a length of time such as/],
  [{ from: { type: 'flie' } }, /"from.type" must be one of "stdin"\|"file", did you mean "file"\?/],
  [{ from: {} }, /"from.type" is missing: must be one of "stdin"\|"file"/],
  [
    { from: { type: 'file', pth: 'x' } },
    /"from.path" is missing: must be a string; "from.pth" is unknown, did you mean "path"\?/,
  ],
  [{ from: { type: 'stdin', path: 'x' } }, /"from.path" is unknown, known are type/],
  [null, /must be an object/],
]

for (const [input, phrase] of MISTAKES) {
  test(`readOptions() says what is wrong with ${JSON.stringify(input)}`, () => {
    assert.throws(
      () => readOptions(schema, input, 'the options'),
      (error) =>
        error instanceof BackhaulError &&
        error.code === 'INVALID_OPTIONS' &&
        error.message.startsWith('Cannot use the options: ') &&
        phrase.test(error.message),
    )
  })
}

test('readOptions() hands the problems over as data, each with its place and its kind', () => {
  assert.throws(
    () => readOptions(schema, { qso: 1, will: {}, qos: 3 }, 'the options'),
    (error) => {
      assert.ok(error instanceof BackhaulError)
      assert.deepEqual(
        error.problems.map(({ path, kind, nearest }) => ({ path, kind, nearest })),
        [
          { path: ['qos'], kind: 'invalid', nearest: undefined },
          { path: ['will', 'topic'], kind: 'missing', nearest: undefined },
          { path: ['qso'], kind: 'unknown', nearest: 'qos' },
        ],
      )
      return true
    },
  )
})
