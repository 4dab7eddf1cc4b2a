/** What every command stands on: its options, the configuration, the system, and the signal that Ctrl-C gives. */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { paintAside } from '../colours.ts'
import type { Config } from '../config.ts'
import type { System } from '../system.ts'
import { exits, Failure } from './failure.ts'
import { type Format, formatOf, type OutputOptions, say } from './output.ts'

export interface Session {
  system: System
  db: System['engine']['db']
  config: Config
  format: Format
  /** Fires at Ctrl-C. */
  signal: AbortSignal
}

export interface GlobalOptions extends OutputOptions {
  debug?: boolean
}

/** Opens the system for a command, closes it whatever happens, and leaves the exit code that the work answered. */
export async function inSystem(
  command: Command,
  work: (session: Session) => Promise<number | undefined>,
): Promise<void> {
  const [{ readConfig }, { pino }] = await Promise.all([import('../config.ts'), import('pino')])
  const format = formatOf(command.optsWithGlobals<GlobalOptions>())
  const config = readConfig(process.env)
  const { openSystem } = await import('../system.ts')
  const { signal, release } = interruptible()
  // A command's own words are enough; what goes on beneath it is logged only when it is a warning, or was asked for.
  const log = pino({ level: process.env.LOG_LEVEL || 'warn' }, pino.destination({ dest: 2, sync: true }))
  const system = await openSystem(config, { log })
  try {
    const exit = await work({ system, db: system.engine.db, config, format, signal })
    process.exitCode = signal.aborted ? exits.interrupted : (exit ?? exits.ok)
  } catch (error) {
    if (!signal.aborted || (error as Error).name !== 'AbortError') throw error
    throw new Failure(exits.interrupted, 'interrupted')
  } finally {
    release()
    await system.close()
  }
}

/** Ctrl-C, `kill`, a terminal that was closed. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The first Ctrl-C asks to come to an end, the second does not ask. npm passes one on twice: what comes within half a second is the same one. */
export function interruptible(): { signal: AbortSignal; release(): void } {
  const abort = new AbortController()
  let first = 0
  const interrupted = () => {
    if (!abort.signal.aborted) {
      first = performance.now()
      abort.abort()
    } else if (performance.now() - first > 500) process.exit(exits.interrupted)
  }
  for (const name of endings) process.on(name, interrupted)
  const release = () => {
    for (const name of endings) process.off(name, interrupted)
  }
  return { signal: abort.signal, release }
}

/** Asks on a terminal unless `--yes` was given; without a terminal `--yes` is needed. */
export async function confirm(question: string, { yes }: { yes?: boolean }): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new Failure(
      exits.usage,
      `${question} Nobody can be asked here.`,
      'add --yes, or --dry-run to see what it would do',
    )
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new Promise<undefined>((resolve) => reader.once('close', () => resolve(undefined)))
  // Ctrl-C at the question rejects, Ctrl-D only closes.
  const asked = reader.question(`${question} ${paintAside.dim('[y/N]')} `).catch(() => undefined)
  const answer = await Promise.race([asked, closed]).finally(() => reader.close())
  if (answer === undefined) say('')
  if (!/^y(es)?$/i.test(answer?.trim() ?? '')) throw new Failure(exits.interrupted, 'nothing was done')
}

/** Tells that consumers follow later, when nobody serves them now. */
export async function tellIfUnserved(system: System): Promise<void> {
  const { isServed } = await import('../../engine/consumers.ts')
  if (await isServed(system.engine.db)) return
  say(paintAside.yellow('no server is running: search and the other consumers follow at the next `npx lockstep serve`'))
}

/** `5s`, `500ms`, `12h`, `2m`, `7d` in milliseconds. */
export function duration(text: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text)
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? '']
  if (!match || unit === undefined) {
    throw new Failure(exits.usage, `${JSON.stringify(text)} is no duration`, 'one looks like 500ms, 5s, 10m or 12h')
  }
  return Math.round(Number(match[1]) * unit)
}

/** A whole number from an option. */
export function whole(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value
    throw new Failure(
      exits.usage,
      `${name} must be a whole number from ${min} to ${max}; it is ${JSON.stringify(text)}`,
    )
  }
}
