/** What every measurement shares: a Postgres of its own with fsync and synchronous commit on, a stopwatch, and one line (or `--json`) of result. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openEmbeddedPostgres } from '../src/app/postgres.ts'
import { Engine, type EngineOptions } from '../src/engine/engine.ts'

export interface Result {
  bench: string
  /** One sentence for people. */
  line: string
  figures: Record<string, number>
  /** The goals this bench holds: name → reached. */
  goals: Record<string, boolean>
}

/** Runs a measurement on a fresh server, prints its result, and leaves with 1 when a goal is missed. */
export async function bench(name: string, measure: (server: Server) => Promise<Omit<Result, 'bench'>>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-'))
  const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres') })
  let peakRss = 0
  const watch = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage.rss())), 50)
  try {
    const server: Server = {
      url: postgres.url,
      engine: (options = {}) => new Engine({ url: postgres.url, log: pino({ level: 'warn' }), ...options }),
    }
    const { line, figures, goals } = await measure(server)
    const memoryMb = Math.round(Math.max(peakRss, process.memoryUsage.rss()) / 1e6)
    const result: Result = {
      bench: name,
      line,
      figures: { ...figures, memoryMb },
      goals: { ...goals, 'memory under 400 MB': memoryMb < 400 },
    }
    const missed = Object.entries(result.goals).filter(([, reached]) => !reached)
    if (process.argv.includes('--json')) console.log(JSON.stringify(result))
    else console.log(`${name}: ${line}; ${memoryMb} MB${missed.map(([goal]) => `; MISSED: ${goal}`).join('')}`)
    if (missed.length > 0) process.exitCode = 1
  } finally {
    clearInterval(watch)
    await postgres.close()
    await rm(directory, { recursive: true, force: true })
  }
}

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
