import { z } from 'zod'

/** The schemas that the lines of an input can have. */
export const INPUT_SCHEMAS = ['detection', 'lines'] as const
/** One of {@link INPUT_SCHEMAS}. */
export type InputSchema = (typeof INPUT_SCHEMAS)[number]

/** The names of all payload encoders. */
export const PAYLOAD_NAMES = ['detection-minimal', 'cloudevents', 'json', 'raw'] as const
/** One of {@link PAYLOAD_NAMES}. */
export type PayloadName = (typeof PAYLOAD_NAMES)[number]

/** The payloads that are made of any line; every other one is made of a detection. */
export const PAYLOADS_OF_LINES: readonly PayloadName[] = ['raw']

/** The `schema` of an input. */
export const inputSchemaOption = z.enum(INPUT_SCHEMAS)

/** The `payload` of a route. */
export const payloadOption = z.enum(PAYLOAD_NAMES)
