import { BackhaulError } from '../../contract/index.ts'
import { abortable } from '../../kit/abortable.ts'
import type { Input } from './input.ts'
import { pumpLines } from './input.ts'

/** Lines of a stream that somebody else opened: stdin. It ends with the stream. */
export function streamInput(stream: AsyncIterable<Uint8Array>, name: string): Input {
  return {
    finite: true,
    async run(sink, signal) {
      try {
        await pumpLines(abortable(stream, signal), sink)
      } catch (cause) {
        if (signal.aborted) return
        throw new BackhaulError(
          'INPUT_FAILED',
          `Cannot read ${name}: it broke off, check what writes to it`,
          cause,
        )
      }
    },
  }
}
