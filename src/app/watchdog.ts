/**
 * Names whoever blocks the event loop. A thread of its own watches the main thread's beat; when it is missing for long, the thread stops the
 * main one through the inspector for a moment, reads which consumer runs and where, and lets it go on. Costs nothing while all is well.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { running } from '../engine/runner.ts'

const BEAT_MS = 200

export interface Blockage {
  /** The consumer whose code runs; undefined when it is no consumer's. */
  consumer?: string
  /** Innermost first: `apply src/services/search/search-projection.ts:41`. */
  stack: string[]
  seconds: number
}

/** Tells of each blockage while it lasts: from the other thread, straight to stderr, for the main one can't. Answers how to stop. */
export function watchEventLoop({ afterMs = 3_000 } = {}): () => Promise<void> {
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const beat = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS)
  beat.unref()
  Object.assign(globalThis, { [Symbol.for('lockstep.running')]: running })
  const thread = `./watchdog-thread${extname(import.meta.url)}` // .js once built
  const worker = new Worker(new URL(thread, import.meta.url), {
    workerData: { beats, afterMs },
    execArgv: [],
  })
  worker.unref()
  worker.on('error', () => {}) // without the inspector there is no watchdog, nothing else
  return async () => {
    clearInterval(beat)
    await worker.terminate()
  }
}
