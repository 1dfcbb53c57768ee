import assert from 'node:assert/strict'

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** The value of a promise, or a failure that says what did not happen within `ms` milliseconds. No timer is left. */
export function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new assert.AssertionError({ message: `${what} did not happen within ${ms} ms` }))
    }, ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Whether a promise settles within `ms` milliseconds. No timer is left. */
export function settles(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    promise.then(settled, settled)
  })
}

/** Looks again and again until `holds` says true, and fails with `what` after `ms` milliseconds. */
export async function until(
  ms: number,
  what: string,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds())) {
    assert.ok(performance.now() < end, `${what} did not happen within ${ms} ms`)
    await pause(5)
  }
}

/** What a promise rejects with; fails when it fulfils. */
export async function rejection(what: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new assert.AssertionError({ message: `${what} did not reject` })
}
