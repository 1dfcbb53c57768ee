import { z } from 'zod'

import { connectionOptionsSchema, outboxOptionsSchema } from '../client/options.ts'
import { converterOption, inputSchemaOption, payloadOption } from '../codec/options.ts'
import { flagOption, integerOption } from '../kit/options.ts'
import { authOptionsSchema } from '../kit/security-options.ts'

/** What may stand for a name that other parts of the file refer to. */
const name = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
    'must begin with a letter and hold only letters, digits, "-" and "_"',
  )
const text = z.string().min(1)

const { adaptor, tls, options, allowPlaintextCredentials, maxRetries } = connectionOptionsSchema.shape

const connectionSchema = z.strictObject({
  url: text.describe(
    'Address of the broker, for example `mqtts://broker.example:8883`. Options of the protocol may stand in its query',
  ),
  adaptor,
  tls,
  auth: authOptionsSchema.optional().describe('User and password, or a token'),
  options,
  outbox: outboxOptionsSchema
    .prefault({})
    .describe('What is held while the broker is away, and what happens at the limit'),
  allowPlaintextCredentials,
  maxRetries,
})

const inputShape = {
  schema: inputSchemaOption
    .default('detection')
    .describe(
      'What a line is. `detection`: one detection event in JSON, which is checked. ' +
        '`deepstream`: that, or a message in the full or minimal schema of DeepStream, which may be spread over several lines as DeepStream writes it. `lines`: anything, passed on as it is',
    ),
  maxLineBytes: integerOption(64, 64 * 1024 ** 2)
    .default(1024 ** 2)
    .describe('The longest line in bytes; a longer one is skipped and counted'),
}

const inputSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('stdin').describe('Lines from standard input'), ...inputShape }),
  z.strictObject({
    type: z.literal('file').describe('Lines of a file'),
    path: text.describe('The file'),
    replay: z
      .enum(['realtime', 'asap'])
      .default('realtime')
      .describe('`realtime`: with the distances of their timestamps. `asap`: as fast as they are taken'),
    repeat: flagOption.default(false).describe('Begin again at the end, for ever'),
    ...inputShape,
  }),
  z.strictObject({
    type: z.literal('unix').describe('Lines from whoever connects to a Unix socket'),
    path: text.describe('The socket; it is made'),
    ...inputShape,
  }),
  z.strictObject({
    type: z.literal('tcp').describe('Lines from whoever connects to a port of this machine'),
    port: integerOption(0, 65_535).describe('The port; 0 takes a free one and logs it'),
    host: z
      .enum(['127.0.0.1', '::1', 'localhost'])
      .default('127.0.0.1')
      .describe('Where it listens: this machine only, since lines are not authenticated'),
    ...inputShape,
  }),
])

const routeSchema = z.strictObject({
  from: text.describe('Name of an input'),
  to: text.describe('Name of a connection'),
  topic: text.describe('Topic of each message; `{device}`, `{input}` and `{sensorId}` are filled in'),
  payload: payloadOption.describe(
    'What is sent. `detection-minimal`: minimal JSON as DeepStream writes it, one message a detection. ' +
      '`deepstream-full`, `deepstream-minimal`, `deepstream-protobuf`, `deepstream-custom`: the messages that the converter of DeepStream makes of it. ' +
      '`cloudevents`: a CloudEvents 1.0 event in JSON. ' +
      '`json`: the detection in its own JSON form. `raw`: the line as it came',
  ),
  key: z
    .string()
    .regex(/^[^{}$]+$/, 'must be sensorId, or a dotted path such as sensor.id')
    .optional()
    .describe(
      'Messages of one topic with the same key stay in order. `sensorId`: that of the detection. Any other is the dotted path of a text in the JSON payload, ' +
        'for example `sensor.id`. Absent: all messages of one topic stay in order',
    ),
  converter: converterOption
    .optional()
    .describe("How DeepStream's payloads are made; for the payloads that begin with `deepstream-`"),
})

const commandSchema = z.strictObject({
  connection: text.describe('Name of the connection that commands come over'),
  topics: z
    .union([z.array(text).min(1), text.transform((topic) => [topic])])
    .describe('Topics that commands come on; `{device}` is filled in'),
  format: z
    .enum(['backhaul', 'deepstream'])
    .default('backhaul')
    .describe(
      'What a command looks like. `backhaul`: as docs/commands.md has it. `deepstream`: `start-recording` and `stop-recording` as the cloud of DeepStream sends them',
    ),
  replyTopic: text
    .optional()
    .describe(
      'Topic that each reply goes to; `{device}` is filled in. With format deepstream it may be left out: then nobody is answered',
    ),
  group: text
    .optional()
    .describe('Devices that name the same group share the commands between them. Absent: each gets all'),
  sensors: z
    .record(z.string().min(1), integerOption(0, 1_000_000))
    .optional()
    .describe('With format deepstream: number of each sensor by its id. Absent: the id is the number'),
  policy: z
    .strictObject({
      allow: z
        .array(z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a command, in lower case'))
        .describe('The commands that may come this way; any other is refused'),
    })
    .optional()
    .describe('Absent: every command that the device knows may come this way'),
})

/** The whole file. */
export const configSchema = z.strictObject({
  version: z.literal(1).describe('Version of the form of this file'),
  device: z
    .strictObject({
      id: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must hold only letters, digits, ".", "_" and "-"')
        .describe('Name of this device, unique among all; it is filled into topics'),
    })
    .describe('This device'),
  connections: z.record(name, connectionSchema).describe('Brokers, each by a name of your choice'),
  inputs: z
    .record(name, inputSchema)
    .default({})
    .describe('Where lines come from, each by a name of your choice'),
  routes: z.array(routeSchema).default([]).describe('What of which input goes where'),
  commands: z.array(commandSchema).default([]).describe('Where commands come from'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('The least important lines that are written'),
    })
    .prefault({})
    .describe('The log, JSON lines on standard error'),
})

/** The parts of the file, each by its own. */
export const partSchemas = {
  connection: connectionSchema,
  input: inputSchema,
  route: routeSchema,
  command: commandSchema,
}

/** A checked configuration: references and defaults are filled in, and paths of files are absolute. */
export type Config = z.output<typeof configSchema>
/** One connection of a {@link Config}. */
export type ConnectionConfig = z.output<typeof connectionSchema>
/** One input of a {@link Config}. */
export type InputConfig = z.output<typeof inputSchema>
/** One route of a {@link Config}. */
export type RouteConfig = z.output<typeof routeSchema>
/** One entry of `commands` of a {@link Config}. */
export type CommandConfig = z.output<typeof commandSchema>
