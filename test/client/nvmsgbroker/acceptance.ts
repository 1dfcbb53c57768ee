/** The protocols of DeepStream's libraries. */
export const PROTOCOLS = ['kafka', 'mqtt', 'amqp', 'redis', 'azure'] as const
/** One of {@link PROTOCOLS}. */
export type Protocol = (typeof PROTOCOLS)[number]

/** `tested`: by a test that begins with the row's name; `pending`: not yet; `-`: the row is not for this protocol. */
export type RowState = 'tested' | 'pending' | '-'

/** A scenario that a program written against nvmsgbroker relies on. */
export interface AcceptanceRow {
  /** Its name, which its tests begin with. */
  readonly name: string
  /** What happens. */
  readonly scenario: string
  /** Where it stands, in the order of {@link PROTOCOLS}. */
  readonly states: readonly RowState[]
}

/**
 * The rows of DeepStream's acceptance through `backhaul/nvmsgbroker`. Whoever adds an adaptor runs `rowTests()` against its broker in a
 * file `PROTOCOL.test.ts` beside this one, and sets its column here. A test holds this table to the tests that there are, and
 * docs/deepstream.md prints it.
 */
export const ACCEPTANCE: readonly AcceptanceRow[] = [
  row('A1', 'five messages one after another, received with the same bytes in order', 'tested - - - -'),
  row('A2', 'five messages at once, each told once', 'tested - - - -'),
  row('A3', 'ten messages, persistent, content type text/plain', '- - tested - -'),
  row('A4', 'five messages under the field metadata, each acknowledged', '- - - tested -'),
  row('A5', 'ten messages, each told once and received in order', '- tested - - -'),
  row('A6', 'fifty messages of five threads', '- - - - pending'),
  row('B1', 'connection strings', 'tested tested tested tested pending'),
  row('B2', 'forms of proto-cfg', 'tested - - - -'),
  row('B3', 'partition key', 'tested - - - -'),
  row('B4', 'two who share have one connection', 'tested tested tested tested pending'),
  row('B5', 'several callbacks and topics', 'tested tested tested tested -'),
  row('B6', 'an outage: RECONNECTING once, OK once', 'tested tested tested tested pending'),
  row('B7', 'an outage beyond the limit: ERR once', 'tested tested tested tested pending'),
  row('B8', 'no broker at the start: NULL', 'tested tested tested tested pending'),
]

function row(name: string, scenario: string, states: string): AcceptanceRow {
  return { name, scenario, states: states.split(' ').map(stateOf) }
}

function stateOf(text: string): RowState {
  if (text === 'tested' || text === 'pending' || text === '-') return text
  throw new Error(`"${text}" is no state of a row`)
}
