import process from 'node:process'

/** Measures rounds of a fixed number of messages in a process that `RoundProcess` started, and tells it the figures. */
export class Round {
  readonly #messages: number
  #startedAt = 0
  #cpu = process.cpuUsage()

  constructor(messages: number) {
    this.#messages = messages
  }

  /** The first message of a round. */
  start(): void {
    this.#startedAt = performance.now()
    this.#cpu = process.cpuUsage()
  }

  /** The first message came a while after the start: what was before it is waiting, but work counts. */
  waited(): void {
    this.#startedAt = performance.now()
  }

  /** The last one is through. `more` are further figures. */
  report(more: Readonly<Record<string, number>> = {}): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    const seconds = (performance.now() - this.#startedAt) / 1000
    process.send?.({
      messagesPerSecond: this.#messages / seconds,
      cpuMicros: (user + system) / this.#messages,
      rssBytes: process.memoryUsage.rss(),
      ...more,
    })
  }
}
