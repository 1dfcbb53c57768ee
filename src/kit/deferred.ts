/** A promise with its two ends in hand. */
export interface Deferred<T> {
  /** What others wait for. */
  readonly promise: Promise<T>
  /** Fulfils it; later calls do nothing. */
  readonly resolve: (value: T | PromiseLike<T>) => void
  /** Rejects it; later calls do nothing. */
  readonly reject: (reason: unknown) => void
}

/** Makes a promise that somebody else settles (`Promise.withResolvers` for Node 20). */
export function deferred<T = void>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = noop
  let reject: Deferred<T>['reject'] = noop
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

function noop(): void {
  // replaced before anyone can call it: a promise's executor runs at once
}
