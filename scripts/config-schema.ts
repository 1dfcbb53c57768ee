import { z } from 'zod'

import { configSchema } from '../src/config/index.ts'

/** A part of a JSON Schema, as far as the configuration has such parts. */
export interface JsonSchema {
  readonly $schema?: string
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** Any text may be a reference, which no pattern and no list of words allows for. */
const REFERENCE = { type: 'string', pattern: String.raw`\$\{(env|file):[^}]+\}` }

/** The JSON Schema of what may be written for a schema, without an allowance for references. */
export function jsonSchemaOf(zodSchema: z.ZodType): JsonSchema {
  const schema = z.toJSONSchema(zodSchema, {
    io: 'input',
    target: 'draft-7',
    // a default is told in the form that the program sees, so zod leaves it out of what may be written
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodDefault) jsonSchema.default = zodSchema.def.defaultValue
    },
  })
  // as plain JSON it has only what is written, and none of zod's own properties
  return JSON.parse(JSON.stringify(schema))
}

/** The text of assets/backhaul.schema.json. */
export function configSchemaText(): string {
  const { $schema, ...rest } = jsonSchemaOf(configSchema)
  const schema = { $schema, title: 'Backhaul agent configuration', ...withReferences(rest) }
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

function withReferences(schema: JsonSchema): JsonSchema {
  const narrow = schema.type === 'string' && (schema.enum !== undefined || schema.pattern !== undefined)
  if (narrow) {
    const { description, default: fallback, ...rest } = schema
    return {
      ...(description !== undefined && { description }),
      ...(fallback !== undefined && { default: fallback }),
      anyOf: [rest, REFERENCE],
    }
  }
  const { properties, additionalProperties, items, anyOf, oneOf } = schema
  return {
    ...schema,
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, withReferences(property)]),
      ),
    }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: withReferences(additionalProperties),
    }),
    ...(items !== undefined && { items: withReferences(items) }),
    ...(anyOf !== undefined && { anyOf: anyOf.map(withReferences) }),
    ...(oneOf !== undefined && { oneOf: oneOf.map(withReferences) }),
  }
}
