import assert from 'node:assert/strict'
import { test } from 'node:test'

import { isCulprit } from '../../../../src/adaptors/amqp/publish/culprit.ts'
import { message } from '../support.ts'

const ok = message('a.b', 'x')

test('isCulprit() finds the topic that the broker names, one that is cut off too', () => {
  const named = isCulprit({
    code: 403,
    text: "ACCESS_REFUSED - access to topic 'a.b' in exchange 'amq.topic' in vhost '/' refused for user 'u'",
  })
  assert.deepEqual([named(ok), named(message('a.b.c', 'x'))], [true, false])
  const long = message('x'.repeat(250), 'x')
  const cut = isCulprit({ code: 403, text: `ACCESS_REFUSED - access to topic '${'x'.repeat(200)}` })
  assert.deepEqual([cut(long), cut(ok)], [true, false])
})

test('isCulprit() finds the size that the broker names, and every message where it names the exchange', () => {
  const size = isCulprit({
    code: 406,
    text: 'PRECONDITION_FAILED - message size 3 is larger than configured max size 2',
  })
  assert.deepEqual([size(message('t', 'xxx')), size(ok)], [true, false])
  const exchange = isCulprit({
    code: 403,
    text: "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'",
  })
  assert.equal(exchange(ok), true)
  assert.equal(isCulprit({ code: 404, text: "NOT_FOUND - no exchange 'x' in vhost '/'" })(ok), true)
  assert.equal(isCulprit({ code: 541, text: 'INTERNAL_ERROR' })(ok), false)
})
