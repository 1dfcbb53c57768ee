import { median } from '../median.ts'
import { sizeText, tableHead, tableLine } from '../table.ts'
import type { Figures, Row, SideName } from './side.ts'
import { SIDES, TITLES } from './side.ts'

/** What each side took in each round; nothing for one that is left out. */
export type Results = ReadonlyMap<SideName, readonly Figures[]>

/** The first two lines of the Markdown table. */
export function headLines(): string {
  return tableHead([
    'row',
    'messages/s',
    'CPU µs/message',
    'by @platformatic/kafka',
    'by librdkafka',
    'p50 ms',
    'p99 ms',
    'RSS MB',
  ])
}

/** The lines of one row, one a side: medians over the rounds. A ratio is that of CPU within each round. */
export function rowLines(row: Row, results: Results): string {
  return SIDES.flatMap((side) => {
    const figures = results.get(side)
    return figures === undefined ? [] : [sideLine(`${rowText(row)}: ${TITLES[side]}`, figures, results)]
  }).join('\n')
}

function sideLine(title: string, figures: readonly Figures[], results: Results): string {
  const middle = (of: (one: Figures) => number) => median(figures.map(of))
  const ratio = (other: SideName) => {
    const theirs = results.get(other)
    if (theirs === undefined) return '-'
    return median(
      figures.map(({ cpuMicros }, round) => cpuMicros / (theirs[round]?.cpuMicros ?? NaN)),
    ).toFixed(2)
  }
  return tableLine([
    title,
    middle((one) => one.messagesPerSecond).toFixed(0),
    middle((one) => one.cpuMicros).toFixed(1),
    ratio('platformatic'),
    ratio('librdkafka'),
    middle((one) => one.p50Ms).toFixed(1),
    middle((one) => one.p99Ms).toFixed(1),
    (middle((one) => one.rssBytes) / 1e6).toFixed(0),
  ])
}

function rowText({ direction, listener, bytes }: Row): string {
  return `${direction}, ${listener === 'mutual' ? 'mutual TLS' : 'plaintext'}, ${sizeText(bytes)}`
}
