/** A bound in time for work that may never settle. */

export class Overdue extends Error {
  override name = 'Overdue'
}

/** Settles as the work does, or rejects with Overdue after `ms`; the signal tells the work that nobody waits any more. */
export async function within<Result>(
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Overdue(`${what} did not settle within ${ms} ms`)
      abort.abort(error)
      reject(error)
    }, ms)
  })
  try {
    return await Promise.race([work(abort.signal), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves after `ms` or when the signal fires, whichever is first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
