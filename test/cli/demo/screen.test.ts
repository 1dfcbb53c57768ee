import assert from 'node:assert/strict'
import test from 'node:test'

import { Screen, wantsColour } from '../../../src/cli/demo/screen.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return {
    isTTY,
    written,
    write: (chunk: string | Uint8Array) => {
      written.push(String(chunk))
      return true
    },
    on: () => undefined,
    off: () => undefined,
  }
}

test('wantsColour() goes by the terminal, NO_COLOR, TERM and FORCE_COLOR', () => {
  const terminal = output(true)
  assert.equal(wantsColour(terminal, {}), true)
  assert.equal(wantsColour(terminal, { NO_COLOR: '1' }), false)
  assert.equal(wantsColour(terminal, { NO_COLOR: '' }), true)
  assert.equal(wantsColour(terminal, { TERM: 'dumb' }), false)
  assert.equal(wantsColour(output(false), {}), false)
  assert.equal(wantsColour(output(false), { FORCE_COLOR: '1' }), true)
  assert.equal(wantsColour(output(false), { FORCE_COLOR: '0' }), false)
})

test('a screen that is no terminal gets plain lines and no escape sequences', () => {
  const pipe = output(false)
  const screen = new Screen(pipe, wantsColour(pipe, {}))
  screen.title('Title', 'below')
  screen.step('Step', 'about')
  screen.showArrivals(true)
  screen.arrival('2026-03-02T08:00:01.000Z', 0, 1)
  screen.arrival('2026-03-02T08:00:01.200Z', 1, 2)
  screen.showArrivals(false)
  screen.arrival('2026-03-02T08:00:01.400Z', 3, 2)
  screen.proof({ name: 'it holds', held: true, detail: 'seen' })
  screen.proof({ name: 'it does not', held: false, detail: 'not seen' })
  assert.equal(
    pipe.written.join(''),
    [
      '',
      'Title',
      'below',
      '',
      '',
      '1  Step',
      '   about',
      '   08:00:01.000  nobody',
      '   08:00:01.200  1 person  ■',
      '   ✔ it holds                 seen',
      '   ✘ it does not              not seen',
      '',
    ].join('\n'),
  )
})

test('a terminal shows arrivals on one line, which the next text clears', () => {
  const terminal = output(true)
  const screen = new Screen(terminal, false)
  screen.arrival('2026-03-02T08:00:01.400Z', 3, 2)
  screen.line('next')
  screen.line('after')
  assert.deepEqual(terminal.written, [
    '\r\u001b[2K   2 detections have arrived, the last: 08:00:01.400, 3 people',
    '\r\u001b[2K',
    '   next\n',
    '   after\n',
  ])
})
