import type { Output } from '../io.ts'
import type { Proof } from './verdict.ts'

const ESCAPE = '\u001b['
const STYLES = { bold: '1', dim: '2', red: '31', green: '32', cyan: '36' } as const

/** Whether a stream is a terminal that shows colours, by what it is and what the environment asks for. */
export function wantsColour(output: Output, env: Readonly<Record<string, string | undefined>>): boolean {
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false
  if ((env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0') return true
  return isTerminal(output)
}

/** Whether a stream is a terminal. */
function isTerminal(output: Output): boolean {
  return 'isTTY' in output && output.isTTY === true
}

/** What the demo shows. Everything that it prints goes through here. */
export class Screen {
  readonly #output: Output
  readonly #colour: boolean
  readonly #terminal: boolean
  #step = 0
  #open = false
  #eachArrival = false

  /** @param colour - whether to use colours */
  constructor(output: Output, colour: boolean) {
    this.#output = output
    this.#colour = colour
    this.#terminal = isTerminal(output)
  }

  /** The heading of it all. */
  title(text: string, below: string): void {
    this.#print(`\n${this.#paint('bold', text)}\n${this.#paint('dim', below)}\n\n`)
  }

  /** The next thing that happens, and what it is about. */
  step(text: string, about: string): void {
    this.#step += 1
    this.heading(`${this.#step}  ${text}`)
    this.aside(about)
  }

  /** A heading. */
  heading(text: string): void {
    this.#print(`\n${this.#paint('bold', text)}\n`)
  }

  /** A label and what belongs to it. */
  fact(label: string, text: string): void {
    this.#print(`   ${this.#paint('cyan', label.padEnd(9))} ${text}\n`)
  }

  /** A plain line. */
  line(text: string): void {
    this.#print(`   ${text}\n`)
  }

  /** A line for whoever wants to know more. */
  aside(text: string): void {
    this.#print(`   ${this.#paint('dim', text)}\n`)
  }

  /** A command to type. */
  command(text: string): void {
    this.#print(`     ${this.#paint('green', text)}\n`)
  }

  /** What went wrong. */
  failure(text: string): void {
    this.#print(`   ${this.#paint('red', `✘ ${text}`)}\n`)
  }

  /** Lines of a log. */
  log(heading: string, lines: readonly string[]): void {
    this.heading(heading)
    for (const line of lines) this.aside(line)
  }

  /** Whether each arrival gets a line of its own; otherwise there is one that is written over, on a terminal only. */
  showArrivals(each: boolean): void {
    this.#eachArrival = each
  }

  /** One arrival, and how many there are with it. */
  arrival(time: string, people: number, count: number): void {
    const clock = time.slice(11, 23)
    const crowd = people === 0 ? 'nobody' : people === 1 ? '1 person' : `${people} people`
    if (!this.#eachArrival)
      return this.#status(`${count} detections have arrived, the last: ${clock}, ${crowd}`)
    const squares = this.#paint('green', '■ '.repeat(people).trimEnd())
    this.line(`${this.#paint('dim', clock)}  ${crowd.padEnd(9)} ${squares}`.trimEnd())
  }

  /** One proof. */
  proof({ name, held, detail }: Proof): void {
    const mark = held ? this.#paint('green', '✔') : this.#paint('red', '✘')
    this.#print(`   ${mark} ${name.padEnd(24)} ${held ? detail : this.#paint('red', detail)}\n`)
  }

  /** Ends a line that would be written over. */
  end(): void {
    this.#print('')
  }

  #status(text: string): void {
    if (!this.#terminal) return
    this.#output.write(`\r${ESCAPE}2K   ${this.#paint('dim', text)}`)
    this.#open = true
  }

  #print(text: string): void {
    if (this.#open) this.#output.write(`\r${ESCAPE}2K`)
    this.#open = false
    this.#output.write(text)
  }

  #paint(style: keyof typeof STYLES, text: string): string {
    return this.#colour ? `${ESCAPE}${STYLES[style]}m${text}${ESCAPE}0m` : text
  }
}
