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
  list: z.record(z.string(), z.strictObject({ url: z.string() })).optional(),
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
  [null, /must be object/],
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
