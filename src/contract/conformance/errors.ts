import assert from 'node:assert/strict'

import { BackhaulError, ERRORS } from '../errors.ts'

/**
 * Checks that an error is one of ours: the class, a code from the closed list, a text by the message law, and no secret in
 * it or in what caused it.
 */
export function checkError(error: unknown, secrets: readonly string[]): BackhaulError {
  assert.ok(error instanceof BackhaulError, `${describe(error)} is no BackhaulError`)
  assert.ok(Object.hasOwn(ERRORS, error.code), `the code "${error.code}" is not in the closed list`)
  assert.match(error.message, /^Cannot \S/, `the text of ${error.code} does not begin with "Cannot"`)
  assert.doesNotMatch(error.message, /\.$/, `the text of ${error.code} ends with a period`)
  for (let link: unknown = error; link instanceof Error; link = link.cause) {
    checkNoSecret(`the text of ${error.code}`, link.message, secrets)
  }
  return error
}

/** Checks that a text holds none of the secrets. */
export function checkNoSecret(what: string, text: string, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `${what} holds a secret`)
}

/** An error as text, whatever it is. */
export function describe(error: unknown): string {
  if (error instanceof BackhaulError) return `${error.code} (${error.message})`
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
