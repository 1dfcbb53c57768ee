import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { asYaml, LIB, PROPERTIES_FILE } from './deepstream/files.ts'
import { GOOD } from './lint.ts'

/*
 * Configuration files that nobody would write: good ones of every kind, with bytes, lines, values and whole groups changed by a
 * generator whose seed names each case.
 */

const TEST5 = `# detections to Kafka and MQTT, commands from both
[application]
enable-perf-measurement=1

[source-list]
num-source-bins=2
list=rtsp://camera-1;rtsp://camera-2;
sensor-id-list=HWY_20;2
sensor-name-list=gate;yard

[source0]
enable=1
type=4
camera-id=3
smart-record=2
smart-rec-dir-path=/tmp/records
smart-rec-cache=20

[sink0]
enable=1
type=6
msg-conv-config=properties.txt
msg-conv-payload-type=0
msg-conv-frame-interval=30
msg-broker-proto-lib=${LIB}/libnvds_kafka_proto.so
msg-broker-conn-str=localhost;9092;old-topic
msg-broker-config=cfg_kafka.txt
topic=detections

[sink1]
enable=1
type=6
msg-conv-payload-type=1
msg-broker-proto-lib=libnvds_mqtt_proto.so
msg-broker-conn-str=localhost;1883
msg-broker-config=cfg_mqtt.txt
topic=minimal

[message-converter]
enable=1
msg-conv-config=properties.txt
msg-conv-payload-type=0

[message-consumer0]
enable=1
proto-lib=${LIB}/libnvds_kafka_proto.so
conn-str=localhost;9092
config-file=cfg_kafka.txt
subscribe-topic-list=a;b;
sensor-list-file=properties.txt
`

const KAFKA = `[message-broker]
proto-cfg="message.timeout.ms=2000;security.protocol=PLAINTEXT;retries=5"
producer-proto-cfg = "acks=all"
partition-key = sensor.id
consumer-group-id = group-1
share-connection = 1
`
const MQTT = `[message-broker]
username = user
password = secret
client-id = uniqueID
keep-alive = 20
`
const CSV = `enable,type,id,location,description,coordinate
1,Camera,HWY_20,45.29;-75.83;48.15,"Aniso, Camera",5.2;10.1;11.2
`

const PARTS = {
  'properties.txt': PROPERTIES_FILE,
  'properties.csv': CSV,
  'cfg_kafka.txt': KAFKA,
  'cfg_mqtt.txt': MQTT,
}

/** Good configurations: the name of the file that is checked, and every file that there is. */
const SEEDS: readonly { readonly name: string; readonly files: Readonly<Record<string, string>> }[] = [
  { name: 'test5.txt', files: { ...PARTS, 'test5.txt': TEST5 } },
  { name: 'test5.yml', files: { ...PARTS, 'test5.yml': asYaml(TEST5) } },
  { name: 'csv.txt', files: { ...PARTS, 'csv.txt': TEST5.replaceAll('properties.txt', 'properties.csv') } },
  { name: 'agent.yml', files: { 'agent.yml': GOOD } },
]

/** What is put in the place of values. */
const JUNK = [
  '',
  ' ',
  '0',
  '-1',
  '99999999999999999999',
  '1e999',
  'NaN',
  'true',
  'null',
  '~',
  ';',
  ';;;;',
  '"',
  "'",
  '""',
  '\\',
  '\\s\\n\\x',
  '\u0000',
  '\uFEFF',
  '\u00E9\u{1F600}',
  '%s%n',
  '${env:HOME}',
  '${file:/etc/hostname}',
  '${',
  '[',
  ']',
  '{',
  '}',
  '[[',
  '- -',
  '*a',
  '&a',
  '!!js/x',
  '<<',
  'a=b=c',
  '#',
  '../../../etc/passwd',
  '/dev/null',
  '.',
  'x'.repeat(5000),
  ';'.repeat(2000),
  '['.repeat(500),
  '\t',
  '\r',
  'libnvds_amqp_proto.so',
  'libnvds_nothing.so',
] as const

/** One case: files in a folder of their own. */
export interface Mutant {
  /** The file to check. */
  readonly name: string
  /** The file that was changed. */
  readonly changed: string
  /** Its text, as bytes: it may be no UTF-8. */
  readonly bytes: Buffer
}

/** Writes good configurations into folders, and makes mutants of them one after the other. */
export class Mutants implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'backhaul-mutants-'))

  constructor() {
    for (const [index, { files }] of SEEDS.entries()) {
      for (const [name, text] of Object.entries(files)) this.#write(index, name, text)
    }
  }

  /** Calls back with each of `count` mutants, whose files lie in `folder` meanwhile. */
  async forEach(
    seed: number,
    count: number,
    check: (file: string, mutant: Mutant, serial: number) => Promise<void>,
  ): Promise<void> {
    const random = generator(seed)
    for (let serial = 0; serial < count; serial += 1) {
      const index = Math.floor(random() * SEEDS.length)
      const { name, files } = SEEDS[index] ?? { name: '', files: {} }
      const changed = random() < 0.7 ? name : pick(random, Object.keys(files))
      const bytes = mutate(files[changed] ?? '', random)
      this.#write(index, changed, bytes)
      await check(join(this.#root, String(index), name), { name, changed, bytes }, serial)
      this.#write(index, changed, files[changed] ?? '')
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true })
  }

  #write(index: number, name: string, content: string | Buffer): void {
    const file = join(this.#root, String(index), name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
}

function mutate(text: string, random: () => number): Buffer {
  let lines = text.split('\n')
  const times = 1 + Math.floor(random() * 4)
  for (let time = 0; time < times; time += 1) {
    lines = pick(random, CHANGES)(lines.length === 0 ? [''] : lines, random)
  }
  const bytes = Buffer.from(lines.join(random() < 0.1 ? '\r\n' : '\n'))
  // now and then bytes that are no text
  if (random() < 0.2)
    for (let time = 0; time < 3; time += 1) bytes[Math.floor(random() * bytes.length)] = random() * 256
  return random() < 0.05 ? bytes.subarray(0, random() * bytes.length) : bytes
}

type Change = (lines: readonly string[], random: () => number) => string[]

const CHANGES: readonly Change[] = [
  // a value becomes junk
  (lines, random) =>
    withLine(lines, random, (line) =>
      line.replace(/([=:] ?).*$/, (_, sign) => `${sign}${pick(random, JUNK)}`),
    ),
  // a key becomes junk, or loses a letter
  (lines, random) => withLine(lines, random, (line) => line.replace(/^[^=:]*/, () => pick(random, JUNK))),
  (lines, random) => withLine(lines, random, (line) => without(line, Math.floor(random() * line.length))),
  // lines go, come twice, change places, move in
  (lines, random) => lines.toSpliced(Math.floor(random() * lines.length), 1 + Math.floor(random() * 3)),
  (lines, random) => lines.toSpliced(at(lines, random), 0, pick(random, lines)),
  (lines, random) =>
    lines.toSpliced(
      at(lines, random),
      0,
      `[${pick(random, ['sink9', 'message-consumer', 'sink', 'source-list', '', 'x]'])}]`,
    ),
  (lines, random) => withLine(lines, random, (line) => `${' '.repeat(1 + random() * 4)}${line}`),
  (lines, random) => withLine(lines, random, (line) => line.trimStart()),
  // whatever may stand anywhere
  (lines, random) => lines.toSpliced(at(lines, random), 0, pick(random, JUNK)),
]

function withLine(
  lines: readonly string[],
  random: () => number,
  change: (line: string) => string,
): string[] {
  const index = at(lines, random)
  return lines.with(index, change(lines[index] ?? ''))
}

function without(line: string, index: number): string {
  return `${line.slice(0, index)}${line.slice(index + 1)}`
}

function at(lines: readonly string[], random: () => number): number {
  return Math.floor(random() * Math.max(1, lines.length))
}

function pick<T>(random: () => number, from: readonly T[]): T {
  const found = from[Math.floor(random() * from.length)]
  if (found === undefined) throw new RangeError('nothing to pick from')
  return found
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32, in the public domain). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
