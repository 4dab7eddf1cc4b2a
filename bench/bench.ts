/** What every measurement shares: a Postgres of its own with fsync and synchronous commit on, a stopwatch, and one line (or `--json`) of result. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openEmbeddedPostgres } from '../src/app/postgres.ts'
import { Engine, type EngineOptions } from '../src/engine/engine.ts'
import { REFERENCE, yardstick } from './yardstick.ts'

/** The memory that `npm start` runs in. */
export const MEMORY = ['--max-semi-space-size=16', '--heap-growing-percent=100'] as const

/** What a measurement found. */
export interface Finding {
  /** One sentence for people. */
  line: string
  figures: Record<string, number>
  /** The goals this bench holds: name → reached. */
  goals: Record<string, boolean>
}

/**
 * Runs a measurement if its file was called, prints what it found, and leaves with 1 when a goal is missed. On a server of its own, or on the one
 * that `--on` names.
 */
export async function bench(
  meta: ImportMeta,
  name: string,
  measure: (server: Server) => Promise<Finding>,
): Promise<void> {
  if (!meta.main) return
  if (!process.execArgv.includes(MEMORY[0])) {
    process.exitCode =
      spawnSync(process.execPath, [...MEMORY, ...process.argv.slice(1)], { stdio: 'inherit' }).status ?? 1
    return
  }
  const postgres = await serverToMeasure()
  try {
    const before = await yardstick(postgres.url)
    const { line, figures, goals } = await watched(() => measure(serverAt(postgres.url)))
    const speed = Math.round((before + (await yardstick(postgres.url))) / 2)
    figures.forUpdatePerSecond = speed
    const missed = Object.entries(goals).filter(([, reached]) => !reached)
    if (process.argv.includes('--json')) console.log(JSON.stringify({ bench: name, line, figures, goals }))
    else
      console.log(
        `${name}: ${line}; ${figures.memoryMb} MB; machine ${speed.toLocaleString('en')}/s for update, the goals' ${REFERENCE.toLocaleString('en')}${missed.map(([goal]) => `; MISSED: ${goal}`).join('')}`,
      )
    if (missed.length > 0) process.exitCode = 1
  } finally {
    await postgres.close()
  }
}

async function serverToMeasure(): Promise<{ url: string; close(): Promise<void> }> {
  const on = process.argv.indexOf('--on')
  if (on >= 0) {
    const url = process.argv[on + 1]
    if (url === undefined) throw new Error('--on wants the URL of a Postgres server')
    return { url, close: async () => {} }
  }
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-'))
  const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres') })
  const close = async () => {
    await postgres.close()
    await rm(directory, { recursive: true, force: true })
  }
  return { url: postgres.url, close }
}

/** Adds this process's peak memory to what a measurement found, or that of another process that it watched, if that was more. */
async function watched(measure: () => Promise<Finding>): Promise<Finding> {
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 50)
  try {
    const { line, figures, goals } = await measure()
    const memoryMb = Math.max(figures.memoryMb ?? 0, Math.round(peak / 1e6))
    return { line, figures: { ...figures, memoryMb }, goals: { ...goals, 'memory under 400 MB': memoryMb < 400 } }
  } finally {
    clearInterval(watch)
  }
}

export const serverAt = (url: string): Server => ({
  url,
  engine: (options = {}) => new Engine({ url, log: pino({ level: 'warn' }), ...options }),
})

export interface Server {
  url: string
  engine(options?: Partial<EngineOptions>): Engine
}

/** Seconds that the work took. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

/** The q-th quantile (0…1) of numbers, which are sorted in place. */
export function quantile(numbers: Float64Array | number[], q: number): number {
  numbers.sort((a: number, b: number) => a - b)
  return numbers[Math.min(numbers.length - 1, Math.floor(numbers.length * q))] ?? Number.NaN
}

/** Makes `total` calls with at most `width` under way, as many clients would. */
export async function inFlight(width: number, total: number, call: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < total) await call(next++)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** At most `width` calls under way, `total` of them a round; `n` counts on from round to round. */
export type Contender = [width: number, total: number, call: (n: number) => Promise<unknown>]

/** Calls a second of each. They take turns, since a machine's speed changes from one minute to the next. */
export async function inTurns(rounds: number, ...contenders: Contender[]): Promise<number[]> {
  const took = contenders.map(() => 0)
  for (let round = 0; round < rounds; round++)
    for (const [at, [width, total, call]] of contenders.entries())
      took[at] = (took[at] ?? 0) + (await seconds(() => inFlight(width, total, (n) => call(round * total + n))))
  return contenders.map(([, total], at) => (rounds * total) / (took[at] ?? 0))
}
