import { fileURLToPath } from 'node:url'

import { z } from 'zod'

import { RoundProcess } from '../process.ts'
import type { Place } from './side.ts'

const CHILD = fileURLToPath(new URL('./soak-child.js', import.meta.url))
/** A step that takes longer is given up. */
const STEP_MS = 900_000
const stepSchema = z.object({
  received: z.number(),
  rss: z.number(),
  heapUsed: z.number(),
  external: z.number(),
})

/** Sends messages through a topic and reads them back, in one process, and prints its memory after each step of them. */
export async function soak(place: Place, topic: string, messages: number, step: number): Promise<void> {
  const args = [JSON.stringify(place), topic, String(messages), String(step)]
  await using child = await RoundProcess.start(CHILD, args, [])
  for (let done = 0; done < messages; done += step) {
    const { received, rss, heapUsed, external } = stepSchema.parse(await child.next(STEP_MS))
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
    console.log(
      `${received} messages produced and consumed: RSS ${megabytes(rss)}, heap ${megabytes(heapUsed)}, buffers ${megabytes(external)}`,
    )
  }
}
