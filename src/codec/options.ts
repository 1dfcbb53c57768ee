import { z } from 'zod'

import { flagOption, integerOption } from '../kit/options.ts'

/** The schemas that the lines of an input can have. */
export const INPUT_SCHEMAS = ['detection', 'deepstream', 'lines'] as const
/** One of {@link INPUT_SCHEMAS}. */
export type InputSchema = (typeof INPUT_SCHEMAS)[number]

/** The names of all payload encoders. */
export const PAYLOAD_NAMES = [
  'detection-minimal',
  'deepstream-full',
  'deepstream-minimal',
  'deepstream-protobuf',
  'deepstream-custom',
  'cloudevents',
  'json',
  'raw',
] as const
/** One of {@link PAYLOAD_NAMES}. */
export type PayloadName = (typeof PAYLOAD_NAMES)[number]

/** The payloads that are made of any line; every other one is made of a detection. */
export const PAYLOADS_OF_LINES: readonly PayloadName[] = ['raw']

/** The `schema` of an input. */
export const inputSchemaOption = z.enum(INPUT_SCHEMAS)

/** The `payload` of a route. */
export const payloadOption = z.enum(PAYLOAD_NAMES)

/** The schemas of DeepStream's message converter. */
export const DEEPSTREAM_SCHEMAS = ['full', 'minimal', 'protobuf', 'custom'] as const
/** One of {@link DEEPSTREAM_SCHEMAS}. */
export type DeepStreamSchema = (typeof DEEPSTREAM_SCHEMAS)[number]

/** The payloads that DeepStream's message converter makes, each with its schema. */
export const DEEPSTREAM_PAYLOADS = {
  'deepstream-full': 'full',
  'deepstream-minimal': 'minimal',
  'deepstream-protobuf': 'protobuf',
  'deepstream-custom': 'custom',
} as const satisfies Partial<Record<PayloadName, DeepStreamSchema>>
/** One of {@link DEEPSTREAM_PAYLOADS}. */
export type DeepStreamPayload = keyof typeof DEEPSTREAM_PAYLOADS

/** Whether a payload is made by DeepStream's converter. */
export function isDeepStreamPayload(payload: PayloadName): payload is DeepStreamPayload {
  return Object.hasOwn(DEEPSTREAM_PAYLOADS, payload)
}

/** How a JSON payload of DeepStream is laid out. */
export const JSON_LAYOUTS = ['compact', 'indented'] as const
/** One of {@link JSON_LAYOUTS}. */
export type JsonLayout = (typeof JSON_LAYOUTS)[number]

/** The `converter` of a route: how its DeepStream payloads are made. */
export const converterOption = z.strictObject({
  properties: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File with sensors, places and analytics modules by number, as DeepStream has it: .txt, .csv or .yml',
    ),
  sensors: z
    .record(z.string().min(1), integerOption(0, 1_000_000))
    .optional()
    .describe('Number of each sensor by its id, where the file of properties does not tell'),
  componentId: integerOption(0, 2_147_483_647)
    .default(0)
    .describe('Only objects of this part of the pipeline; 0 for all'),
  newApi: flagOption.default(false).describe("Messages as the converter's new API writes them"),
  frameInterval: integerOption(1, 4_294_967_295)
    .default(30)
    .describe('With newApi: only frames whose number is a multiple of it'),
  dummyPayload: flagOption
    .default(false)
    .describe('Without newApi: a message for a frame without objects too'),
  dummyObject: flagOption
    .default(false)
    .describe('Without newApi: a frame without objects is sent with one dummy in it'),
  layout: z
    .enum(JSON_LAYOUTS)
    .default('compact')
    .describe('How JSON is laid out; DeepStream itself indents it'),
})
