import { z } from 'zod'

/** What the process that plays the cloud is told when it starts. */
export const cloudSettingsSchema = z.strictObject({
  url: z.string(),
  tls: z.strictObject({ ca: z.string(), cert: z.string(), key: z.string() }),
})
/** The checked form of {@link cloudSettingsSchema}. */
export type CloudSettings = z.output<typeof cloudSettingsSchema>

/** One end of a link, as the other end's TLS and MQTT showed it. */
export const peerSchema = z.object({
  protocol: z.string(),
  tls: z
    .object({
      version: z.string(),
      cipher: z.string(),
      peer: z.string(),
      own: z.string().optional(),
      verified: z.boolean(),
    })
    .optional(),
})
/** The checked form of {@link peerSchema}. */
export type PeerFacts = z.output<typeof peerSchema>

/** What the cloud is asked to do. */
export const cloudOrderSchema = z.strictObject({
  order: z.literal('ping'),
  id: z.string(),
  device: z.string(),
})
/** The checked form of {@link cloudOrderSchema}. */
export type CloudOrder = z.output<typeof cloudOrderSchema>

/** What the cloud tells. */
export const cloudReportSchema = z.discriminatedUnion('report', [
  z.object({ report: z.literal('ready'), peer: peerSchema }),
  z.object({
    report: z.literal('detection'),
    device: z.string(),
    time: z.string(),
    people: z.int(),
    repeated: z.boolean(),
    inOrder: z.boolean(),
  }),
  z.object({ report: z.literal('unreadable'), topic: z.string() }),
  z.object({
    report: z.literal('reply'),
    id: z.string().optional(),
    device: z.string(),
    ok: z.boolean(),
    text: z.string(),
    /** Absent where somebody else had sent the command. */
    afterMs: z.number().optional(),
  }),
  z.object({ report: z.literal('failed'), message: z.string() }),
])
/** The checked form of {@link cloudReportSchema}. */
export type CloudReport = z.output<typeof cloudReportSchema>
