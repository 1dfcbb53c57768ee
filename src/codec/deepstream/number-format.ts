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
  return value < 0 ? `-${formatPositive(-value)}` : (formatPlain(value) ?? formatPositive(value))
}

/** What nearly every number is: of a size that needs no exponent, and no tie. `undefined` for any other. */
function formatPlain(value: number): string | undefined {
  if (value < 1e-4 || value >= 99_999) return undefined
  if (Number.isInteger(value * 2048)) {
    // with so few bits after the point the shortest text is the exact one: six digits stay, seven may be a tie
    const exact = String(value)
    if (value < 1 || exact.length === 8) return undefined
    if (exact.length < 8) return exact
  }
  const text = value.toPrecision(6)
  let end = text.length
  while (text.charCodeAt(end - 1) === ZERO) end -= 1
  return text.slice(0, text.charCodeAt(end - 1) === POINT ? end - 1 : end)
}

const ZERO = 0x30
const POINT = 0x2e

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

/**
 * Writes a finite number as json-glib writes a double: `%.17g`, with `.0` where it would read as a whole number.
 *
 * json-glib 1.6 writes `1e+20.0`, which is not JSON; here nothing follows an exponent.
 */
export function formatDouble(value: number): string {
  // the commonest case: no digit is lost, and no exponent is needed
  if (Number.isInteger(value) && value < 1e15 && value > -1e15)
    return Object.is(value, -0) ? '-0.0' : `${value}.0`
  const rounded = exactSeventeen(value)
  const exponent = Number(rounded.slice(rounded.indexOf('e') + 1))
  const sign = value < 0 ? '-' : ''
  const start = sign.length
  const digits =
    rounded.slice(start, start + 1) + rounded.slice(start + 2, rounded.indexOf('e')).replace(/0+$/, '')
  if (exponent < -4 || exponent >= 17) {
    const mantissa = digits.length > 1 ? `${digits.slice(0, 1)}.${digits.slice(1)}` : digits
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.length > exponent + 1 ? digits.slice(exponent + 1) : '0'}`
}

/** Seventeen significant digits in scientific notation, an exact tie to the even digit. */
function exactSeventeen(value: number): string {
  const more = value.toExponential(17)
  const at = more.indexOf('e')
  if (more[at - 1] !== '5') return value.toExponential(16)
  // a tie or its neighbour: a hundred digits tell them apart
  // oxlint-disable-next-line oxc/number-arg-out-of-range -- up to 100 digits are allowed since ES2018
  const exact = value.toExponential(100)
  const cut = at - 1
  const isTie = /^50*e/.test(exact.slice(cut))
  const isEven = Number(exact[cut - 1]) % 2 === 0
  return isTie && isEven ? exact.slice(0, cut) + more.slice(at) : value.toExponential(16)
}

/** Writes a number as C's `%f` does, with six digits after the point: what `std::to_string` gives. */
export function formatFixed(value: number): string {
  if (Number.isInteger(value) && value < 1e15 && value > -1e15)
    return Object.is(value, -0) ? '-0.000000' : `${value}.000000`
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`
  const text = value.toFixed(6)
  // toFixed() takes the larger of two equally near; C takes the even one
  const exact = Math.abs(value) < 1e6 ? tieDown(value, text) : text
  return value < 0 && !exact.startsWith('-') ? `-${exact}` : exact
}

/** The text rounded towards zero where the value lies exactly between and the digit before is even. */
function tieDown(value: number, rounded: string): string {
  const size = Math.abs(value)
  // a tie has a seventh digit after the point and nothing more: such a number is a multiple of 2^-7
  if (!Number.isInteger(size * 128)) return rounded
  const exact = size.toFixed(7)
  if (!exact.endsWith('5')) return rounded
  const cut = exact.slice(0, -1)
  return Number(cut.at(-1)) % 2 === 0 ? (value < 0 ? `-${cut}` : cut) : rounded
}
