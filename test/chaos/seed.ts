/** Randomness that can be had again: a failing run prints the command line that repeats it. */
import { relative } from 'node:path'
import { expect, test } from 'vitest'

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export interface Random {
  (): number
  /** A whole number from `low` up to and including `high`. */
  between(low: number, high: number): number
  pick<Item>(items: readonly Item[]): Item
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return Object.assign(next, {
    between,
    pick: <Item>(items: readonly Item[]) => items[between(0, items.length - 1)] as Item,
  })
}

/** LOCKSTEP_CHAOS_SEED=7 is that one alone, LOCKSTEP_CHAOS_SEEDS=20 are 1 to 20; otherwise 1. */
const seeds = process.env.LOCKSTEP_CHAOS_SEED
  ? [Number(process.env.LOCKSTEP_CHAOS_SEED)]
  : Array.from({ length: Number(process.env.LOCKSTEP_CHAOS_SEEDS ?? 1) }, (_, n) => n + 1)

/** A test for each seed. A failure begins with how to repeat it. A busy machine needs time where whole programs start; it is over sooner when something is wrong. */
export function seededTest(
  name: string,
  run: (random: Random, seed: number) => Promise<void>,
  timeout = 180_000,
): void {
  for (const seed of seeds) {
    test(seeds.length > 1 ? `${name} (seed ${seed})` : name, { timeout }, async () => {
      try {
        await run(randomOf(seed), seed)
      } catch (error) {
        if (error instanceof Error) {
          const file = relative(process.cwd(), expect.getState().testPath ?? '')
          error.message = `LOCKSTEP_CHAOS_SEED=${seed} npx vitest run ${file} -t '${name}'\n${error.message}`
        }
        throw error
      }
    })
  }
}
