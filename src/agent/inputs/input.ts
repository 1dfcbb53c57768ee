import { LineSplitter } from '../../kit/lines.ts'
import { ObjectSplitter } from '../../kit/object-lines.ts'

/** Takes one line. A promise says: hand over the next one when it is fulfilled. It never rejects. */
export type TakeLine = (line: Uint8Array) => Promise<void> | undefined

/** Where an input hands its lines. */
export interface LineSink {
  /** Takes a line of at most {@link LineSink.maxLineBytes}. */
  readonly take: TakeLine
  /** Told for each line that was longer and was skipped. */
  readonly tooLong: () => void
  /** The longest line in bytes. */
  readonly maxLineBytes: number
  /** Whether an object of JSON may be spread over several lines, which are handed over as one. */
  readonly joinsObjects: boolean
}

/** A source of lines. */
export interface Input {
  /** Whether it comes to an end by itself. */
  readonly finite: boolean
  /**
   * Reads until the end of the source or until the signal aborts, and then resolves with everything closed.
   * It waits for the sink: what is not taken is not read.
   *
   * @throws BackhaulError `INPUT_FAILED` when the source cannot be opened or read.
   */
  run(sink: LineSink, signal: AbortSignal): Promise<void>
}

/** Cuts chunks into lines and hands them over, one after the other. */
export async function pumpLines(chunks: AsyncIterable<Uint8Array>, sink: LineSink): Promise<void> {
  const Splitter = sink.joinsObjects ? ObjectSplitter : LineSplitter
  const splitter = new Splitter({ maxBytes: sink.maxLineBytes, tooLong: sink.tooLong })
  for await (const chunk of chunks) await takeAll(splitter.push(chunk), sink)
  await takeAll(splitter.end(), sink)
}

async function takeAll(lines: readonly Uint8Array[], sink: LineSink): Promise<void> {
  for (const line of lines) {
    const taken = sink.take(line)
    if (taken !== undefined) await taken
  }
}
