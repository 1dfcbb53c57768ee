/**
 * Writes a number as a C++ stream does by default (`printf("%g")`): six significant digits without trailing zeros,
 * scientific below 1e-4 and from 1e6 on, the exponent with at least two digits.
 *
 * A value that lies exactly between two neighbours goes to the even one, as the C library has it; JavaScript's own
 * `toPrecision()` would take the larger.
 */
export function formatGeneral(value: number): string {
  if (Number.isInteger(value) && value > -1e6 && value < 1e6) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  return value < 0 ? `-${formatPositive(-value)}` : formatPositive(value)
}

function formatPositive(value: number): string {
  // '1.23456e+1': one digit, a point, five digits, the exponent
  const rounded = scientific(value)
  const exponent = Number(rounded.slice(8))
  const digits = (rounded.slice(0, 1) + rounded.slice(2, 7)).replace(/0+$/, '')
  if (exponent < -4 || exponent >= 6) {
    const mantissa = digits.length > 1 ? `${digits.slice(0, 1)}.${digits.slice(1)}` : digits
    const power = String(Math.abs(exponent)).padStart(2, '0')
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${power}`
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return digits.length > exponent + 1 ? `${whole}.${digits.slice(exponent + 1)}` : whole
}

/** Six significant digits in scientific notation, an exact tie to the even digit. */
function scientific(value: number): string {
  // a tie has seven significant digits, so between 1e-5 and 1e6 at most 11 bits after the point: most values have more
  const inPlainRange = value >= 1e-5 && value < 1e6
  if (inPlainRange && !Number.isInteger(value * 2048)) return value.toExponential(5)
  // forty digits tell a tie from its nearest neighbours: no double is that near to a number of seven digits, unless equal
  // oxlint-disable-next-line oxc/number-arg-out-of-range -- up to 100 digits are allowed since ES2018
  const exact = value.toExponential(39)
  const isTie = /^50+e/.test(exact.slice(7))
  const isEven = Number(exact[6]) % 2 === 0
  return isTie && isEven ? exact.slice(0, 7) + exact.slice(exact.indexOf('e')) : value.toExponential(5)
}
