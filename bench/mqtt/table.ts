import { median } from '../median.ts'
import type { Figures } from '../process.ts'
import { sizeText, tableHead, tableLine } from '../table.ts'
import type { Row, SideName } from './side.ts'

const COLUMNS = [
  'row',
  'messages/s, ours',
  'MQTT.js',
  'CPU µs/message, ours',
  'MQTT.js',
  'ratio',
  'RSS MB, ours',
  'MQTT.js',
]

/** The first two lines of the Markdown table. */
export function headLines(): string {
  return tableHead(COLUMNS)
}

/** One row of it: medians over the rounds. The ratio is that of CPU, ours by theirs, round by round. */
export function rowLine(row: Row, { backhaul, mqttjs }: Readonly<Record<SideName, Figures[]>>): string {
  const ratios = backhaul.map(({ cpuMicros }, round) => cpuMicros / (mqttjs[round]?.cpuMicros ?? NaN))
  return tableLine([
    `${row.direction}, MQTT ${row.version}, ${sizeText(row.bytes)}`,
    ...[backhaul, mqttjs].map((side) => median(side.map((one) => one.messagesPerSecond)).toFixed(0)),
    ...[backhaul, mqttjs].map((side) => median(side.map((one) => one.cpuMicros)).toFixed(1)),
    median(ratios).toFixed(2),
    ...[backhaul, mqttjs].map((side) => (median(side.map((one) => one.rssBytes)) / 1e6).toFixed(0)),
  ])
}
