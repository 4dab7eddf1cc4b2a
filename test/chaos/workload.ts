/** Callers as they should be: a command without an answer is repeated under the same key, on whichever host there is, until its outcome is known. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Executed, Executor } from '../../src/engine/executor.ts'
import type { WriteNote } from '../notes.ts'
import type { Call } from './checker.ts'
import type { Random } from './seed.ts'

export interface Workload {
  calls: Call[]
  /** Milliseconds from the first try to the answer, one for each command. */
  latenciesMs: number[]
  /** How often a call ended without an answer or was turned away for now. */
  repeats: number
  /** No new commands; resolves when every command has its outcome. */
  finish(): Promise<void>
}

let runs = 0

/**
 * So many callers, each with one command at a time, until `finish` or until each has had `each` of them. Half of the commands go to note 0; one in
 * twenty is forbidden. Without `keys`, a command whose outcome is unknown is left at that. `host()` answers whoever serves now.
 */
export function startWorkload(
  host: () => Pick<Executor<WriteNote>, 'execute'> | undefined,
  random: Random,
  { callers = 20, each = Number.POSITIVE_INFINITY, entities = 20, pauseMs = 0, keys = true } = {},
): Workload {
  const run = ++runs
  const workload: Workload = { calls: [], latenciesMs: [], repeats: 0, finish }
  let stopped = false

  const settle = (key: string, command: WriteNote): Promise<Call> =>
    outcomeOf(() => host()?.execute(command, { ...(keys && { key }), correlationId: key }), key, {
      refusal: 'forbidden-text',
      repeat: keys,
      repeated: () => void workload.repeats++,
    })
  const caller = async (n: number) => {
    for (let m = 0; m < each && !stopped; m++) {
      const key = `w${run}-c${n}-${m}`
      const id = String(random() < 0.5 ? 0 : random.between(1, entities - 1))
      const began = performance.now()
      workload.calls.push(await settle(key, { id, text: random() < 0.05 ? 'forbidden' : `${key} was here` }))
      workload.latenciesMs.push(performance.now() - began)
      if (pauseMs > 0) await pause(random.between(0, 2 * pauseMs))
    }
  }
  const all = Promise.all(Array.from({ length: callers }, (_, n) => caller(n)))
  all.catch(() => {})
  async function finish() {
    stopped = each === Number.POSITIVE_INFINITY
    await all
  }
  return workload
}

/** Tries until the outcome is known, or is known to stay unknown when it may not be repeated. Throws what no caller should ever see. */
export async function outcomeOf(
  run: () => Promise<Executed> | undefined,
  key: string,
  { refusal, repeat = true, repeated = () => {} }: { refusal: string; repeat?: boolean; repeated?: () => void },
): Promise<Call> {
  for (;;) {
    try {
      const executed = await run()
      if (executed) return { key, outcome: 'ok', executed }
    } catch (error) {
      const { name, code } = error as { name: string; code?: string }
      if (name === 'Rejected' && code === refusal) return { key, outcome: 'refused' }
      if (!repeat && name === 'OutcomeUnknown') return { key, outcome: 'unknown' }
      if (!['Lost', 'Unavailable', 'OutcomeUnknown'].includes(name)) throw error
    }
    repeated()
    await pause(20)
  }
}

/** The p-th quantile (0 … 1). */
export function quantile(values: readonly number[], p: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? 0
}
