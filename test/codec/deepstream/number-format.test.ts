import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { formatDouble, formatFixed, formatGeneral } from '../../../src/codec/index.ts'

/** What glibc's `printf("%g")` writes. */
const TABLE: readonly (readonly [value: number, text: string])[] = [
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [100, '100'],
  [50.5, '50.5'],
  [0.87, '0.87'],
  [0.125, '0.125'],
  [-12.5, '-12.5'],
  [999_999, '999999'],
  [1_000_000, '1e+06'],
  [999_999.5, '1e+06'],
  [1_234_565, '1.23456e+06'],
  [1_234_575, '1.23458e+06'],
  [12_345.25, '12345.2'],
  [12_345.75, '12345.8'],
  [100_000.5, '100000'],
  [100_001.5, '100002'],
  [-1234.125, '-1234.12'],
  [1919.99994, '1920'],
  [720.333313, '720.333'],
  [0.333333343, '0.333333'],
  [0.5000005, '0.5'],
  [0.9999995, '1'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [0.000123456785, '0.000123457'],
  [0.00009999995, '0.0001'],
  [0.000030517578125, '3.05176e-05'],
  [1e21, '1e+21'],
  [1.5e300, '1.5e+300'],
  [5e-324, '4.94066e-324'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [Number.NaN, 'nan'],
]

for (const [value, text] of TABLE) {
  test(`formatGeneral() writes ${value} as ${text}`, () => {
    assert.equal(formatGeneral(value), text)
  })
}

/**
 * Six significant digits by whole-number arithmetic: the value is a fraction of two whole numbers, exactly, and the
 * remainder decides the rounding.
 */
function reference(value: number): string {
  const [numerator, denominator] = fraction(value)
  let exponent = Math.floor(Math.log10(value))
  const scaled = (power: number): [bigint, bigint] =>
    power >= 0
      ? [numerator * 10n ** BigInt(power), denominator]
      : [numerator, denominator * 10n ** BigInt(-power)]
  const inRange = ([top, bottom]: [bigint, bigint]) => top >= bottom * 100_000n && top < bottom * 1_000_000n
  for (const step of [0, -1, 1]) {
    if (inRange(scaled(5 - exponent - step))) {
      exponent += step
      break
    }
  }
  const [top, bottom] = scaled(5 - exponent)
  let digits = top / bottom
  const twice = (top % bottom) * 2n
  if (twice > bottom || (twice === bottom && digits % 2n === 1n)) digits += 1n
  if (digits === 1_000_000n) {
    digits = 100_000n
    exponent += 1
  }
  return layOut(String(digits), exponent)
}

function fraction(value: number): [bigint, bigint] {
  let top = value
  let denominator = 1n
  while (!Number.isInteger(top)) {
    top *= 2
    denominator *= 2n
  }
  return [BigInt(top), denominator]
}

function layOut(digits: string, exponent: number): string {
  const trim = (text: string) => text.replace(/\.?0+$/, '')
  if (exponent < -4 || exponent >= 6) {
    const power = String(Math.abs(exponent)).padStart(2, '0')
    return `${trim(`${digits.slice(0, 1)}.${digits.slice(1)}`)}e${exponent < 0 ? '-' : '+'}${power}`
  }
  if (exponent < 0) return trim(`0.${'0'.repeat(-exponent - 1)}${digits}`)
  return exponent === 5 ? digits : trim(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`)
}

test('formatGeneral() agrees with exact arithmetic for any float and double', () => {
  const values = fc.oneof(
    fc.float({ min: Math.fround(1e-6), max: Math.fround(1e7), noNaN: true }),
    fc.double({ min: 1e-30, max: 1e30, noNaN: true }),
    // halves, quarters, ... of whole numbers: where the ties are
    fc
      .tuple(fc.integer({ min: 1, max: 2_000_000_000 }), fc.integer({ min: 0, max: 14 }))
      .map(([n, k]) => n / 2 ** k),
  )
  fc.assert(
    fc.property(values, (value) => {
      assert.equal(formatGeneral(value), reference(value))
      assert.equal(formatGeneral(-value), `-${reference(value)}`)
    }),
    { numRuns: 5000 },
  )
})

const DOUBLES: readonly (readonly [number, string])[] = [
  [0, '0.0'],
  [-0, '-0.0'],
  [1, '1.0'],
  [-42, '-42.0'],
  [0.5, '0.5'],
  [Math.fround(0.87), '0.87000000476837158'],
  [0.87, '0.87'],
  [0.1, '0.10000000000000001'],
  [1 / 3, '0.33333333333333331'],
  [1e-4, '0.0001'],
  [1e-5, '1.0000000000000001e-05'],
  [1e-7, '9.9999999999999995e-08'],
  [1e16, '10000000000000000.0'],
  [1e17, '1e+17'],
  [1.2345678901234569e23, '1.2345678901234569e+23'],
  [-1.5e-300, '-1.5000000000000001e-300'],
  [30.333, '30.332999999999998'],
  // exactly between two neighbours: the even one
  [1 + 2 ** -17, '1.0000076293945312'],
  [1 + 3 * 2 ** -17, '1.0000228881835938'],
]

test('formatDouble() writes a double as json-glib does, the even neighbour of two', () => {
  for (const [value, text] of DOUBLES) assert.equal(formatDouble(value), text)
})

test('formatDouble() loses nothing and is JSON for any finite number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Object.is(JSON.parse(formatDouble(value)), value), formatDouble(value))
      assert.match(formatDouble(value), /[.e]/)
    }),
  )
})

test('formatFixed() writes six digits after the point, the even neighbour of two', () => {
  const rows: readonly (readonly [number, string])[] = [
    [0, '0.000000'],
    [-0, '-0.000000'],
    [12, '12.000000'],
    [Math.fround(0.87), '0.870000'],
    [-0.0000001, '-0.000000'],
    [0.0078125, '0.007812'],
    [0.0234375, '0.023438'],
    [-0.0078125, '-0.007812'],
    [1e22, '10000000000000000000000.000000'],
  ]
  for (const [value, text] of rows) assert.equal(formatFixed(value), text)
})
