/** A wire to Postgres in a thread of its own: it tells what has been sent while this thread is still in the middle of its turn. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll } from 'vitest'

export interface Overheard {
  /** The server's URL through the wire. */
  url: string
  /** Holds up this thread until the text has been sent so often, by all connections together; false if it is not within ten seconds. */
  hasHeard(times?: number): boolean
}

export async function overhear(serverUrl: string, text: string): Promise<Overheard> {
  const count = new Int32Array(new SharedArrayBuffer(4))
  const thread = new Worker(fileURLToPath(new URL('overhear-thread.ts', import.meta.url)), {
    workerData: { serverUrl, text, count },
    execArgv: [],
  })
  afterAll(() => void thread.terminate())
  const [port] = await once(thread, 'message')
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return {
    url: url.href,
    hasHeard(times = 1) {
      for (let n = Atomics.load(count, 0); n < times; n = Atomics.load(count, 0))
        if (Atomics.wait(count, 0, n, 10_000) === 'timed-out') return false
      return true
    },
  }
}
