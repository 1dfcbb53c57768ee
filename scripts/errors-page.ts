import { ERRORS } from '../src/contract/index.ts'

/** The text of docs/errors.md: every code, what it means, what mends it, and whether trying again can help. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { means, mend, retryable }]) =>
      `| \`${code}\` | ${means} | ${mend} | ${retryable ? 'yes' : 'no'} |`,
  )
  return [
    '# Errors',
    '',
    'Every error that Backhaul throws or reports is a `BackhaulError`. Switch on its `code`, which is one of this',
    'closed list; the text is for people. `retryable` tells whether the same call can succeed later by itself.',
    'A refusal by the broker also has `scope` (`message`, `topic` or `link`) and `brokerReason`, its own word for it.',
    'No error holds a secret.',
    '',
    '| code | what it means | what mends it | retryable |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
