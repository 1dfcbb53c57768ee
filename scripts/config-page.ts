import { amqpOptionsSchema } from '../src/adaptors/amqp/options.ts'
import { memoryOptionsSchema } from '../src/adaptors/memory/options.ts'
import { mqttOptionsSchema } from '../src/adaptors/mqtt/options.ts'
import { redisOptionsSchema } from '../src/adaptors/redis/options.ts'
import { configSchema } from '../src/config/index.ts'
import type { JsonSchema } from './config-schema.ts'
import { jsonSchemaOf } from './config-schema.ts'

const INTRODUCTION = `# The agent's file

\`backhaul run agent.yml\` does what one YAML file says, and \`backhaul check agent.yml\` tells everything that is wrong with it,
each with its line, its column and what mends it. Whole examples are in [examples/](../examples/).

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/backhaul/assets/backhaul.schema.json
version: 1
device: { id: gate-7 }
connections:
  cloud:
    url: mqtts://broker.example:8883
    tls: { ca: ca.pem, cert: device.pem, key: device.key }
inputs:
  camera: { type: stdin }
routes:
  - { from: camera, to: cloud, topic: 'cameras/{sensorId}/detections', payload: detection-minimal }
commands:
  - { connection: cloud, topics: ['devices/{device}/commands'], replyTopic: 'devices/{device}/replies' }
\`\`\`

The first line is for editors: with the JSON Schema that is in the package they complete and check names.

## Rules

- A name that is not on this page is an error, with the nearest known name.
- Paths of files are relative to the folder of the configuration file. TLS material may also be given as PEM text.
- \`\${env:NAME}\` in a text is replaced by an environment variable, \`\${file:path}\` by the content of a file without its last
  line end. One that is not there is an error. \`$\${\` stands for \`\${\` itself. The values are in no error and no log.
- A length of time is written as \`500ms\`, \`5s\`, \`2m\`, \`1h\` or as a number of milliseconds.
- A text that begins with a bracket, such as \`{sensorId}/x\`, needs quotes: YAML would read a map.
- TLS settings with a plaintext address are an error. A password is sent over a plaintext connection beyond this machine only
  with \`allowPlaintextCredentials: true\`.
- Anchors, aliases, tags and a second document are refused; so are files above 256 KiB. Text is UTF-8.
- What takes the place of \`{sensorId}\` in a topic must be one level of it: no \`/\`, \`+\`, \`#\` or control character.
`

const PROTOCOLS = {
  'MQTT (`mqtt://`, `mqtts://`, `ws://`, `wss://`)': mqttOptionsSchema,
  'AMQP (`amqp://`, `amqps://`)': amqpOptionsSchema,
  'Redis (`redis://`, `rediss://`)': redisOptionsSchema,
  '`memory:`': memoryOptionsSchema,
}

/** The text of docs/config.md: the rules of the file, and a table of keys for each of its blocks. */
export function configPage(): string {
  const protocols = Object.entries(PROTOCOLS).flatMap(([protocol, schema]) => {
    const [, ...rest] = sections(jsonSchemaOf(schema), ['connections', '(name)', 'options'])
    return [`## \`connections.(name).options\` of ${protocol}`, ...rest]
  })
  return [INTRODUCTION, ...sections(jsonSchemaOf(configSchema), []), ...protocols].join('\n')
}

/** A block's own table, then those of the blocks in it. */
function sections(schema: JsonSchema, path: readonly string[]): string[] {
  const title = path.length === 0 ? 'The file' : `\`${path.join('.')}\``
  const { properties = {}, required = [] } = schema
  const rows = Object.entries(properties).map(([name, property]) => {
    const fallback = required.includes(name) ? '**required**' : shownDefault(property)
    return `| \`${name}\` | ${shownType(property)} | ${fallback} | ${property.description ?? ''} |`
  })
  const own = [
    `## ${title}`,
    '',
    '| key | value | default | what it does |',
    '|---|---|---|---|',
    ...rows,
    '',
  ]
  const inner = Object.entries(properties).flatMap(([name, property]) => blocks(property, [...path, name]))
  return [...own, ...inner]
}

/** The sections of whatever blocks a property holds: itself, those under free names, those in a list. */
function blocks(property: JsonSchema, path: readonly string[]): string[] {
  if (property.properties !== undefined) return sections(property, path)
  const { additionalProperties: named, items } = property
  if (typeof named === 'object') return blocks(named, [...path, '(name)'])
  if (items !== undefined) return blocks(items, path)
  return (property.oneOf ?? []).flatMap((variant) => {
    const type = variant.properties?.['type']
    const section = sections(variant, path)
    return [`## \`${path.join('.')}\` with \`type: ${String(type?.const)}\``, ...section.slice(1)]
  })
}

function shownDefault(property: JsonSchema): string {
  const { default: fallback } = property
  const isPlain =
    typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean'
  return isPlain && fallback !== '' ? `\`${fallback}\`` : ''
}

function shownType(property: JsonSchema): string {
  const { anyOf, enum: words, type } = property
  if (property.const !== undefined) return `\`${JSON.stringify(property.const).replaceAll('"', '')}\``
  if (words !== undefined) return words.map((word) => `\`${String(word)}\``).join(', ')
  // flags and numbers may be written as text too, which goes without saying
  if (anyOf !== undefined) {
    const [first, second] = anyOf
    if (first?.type === 'boolean') return '`true`, `false`'
    if (first?.type === 'integer') {
      const isDuration = second?.pattern?.includes('ms|s|m') === true
      return isDuration ? 'length of time such as `5s`, or milliseconds' : shownType(first)
    }
    return [first, second].map((branch) => (branch === undefined ? '' : shownType(branch))).join(', or ')
  }
  switch (type) {
    case 'integer':
      return `whole number from ${property.minimum} to ${property.maximum}`
    case 'string':
      return 'text'
    case 'array':
      return property.items?.properties === undefined
        ? `list of ${shownType(property.items ?? {})}`
        : 'list of blocks'
    case 'object':
      if (property.properties !== undefined) return 'block'
      return namesAndWhat(property.additionalProperties)
    case undefined:
    default:
      return 'any'
  }
}

function namesAndWhat(named: JsonSchema['additionalProperties']): string {
  if (typeof named !== 'object' || Object.keys(named).length === 0) return 'names and values'
  return named.type === 'string' ? 'texts by name' : 'blocks by name'
}
