/** Starts hosts as processes of their own, talks to them, kills, stops and continues them; none outlives its test file. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import type { CommandOptions, Executed } from '../../src/engine/executor.ts'
import type { HostSettings, Message, Request } from './host.ts'

/** The process ended before it answered: whether the command was carried out can't be told from here. */
export class Lost extends Error {
  override name = 'Lost'
}

/** What a host refused, with the name, code and detail that the engine's error had over there. */
export class Refused extends Error {
  code: string | undefined
  detail: Record<string, unknown> | undefined
}

export interface Host {
  pid: number
  /** The name under which it owns consumers and is seen in pg_stat_activity. */
  name: string
  execute(command: Request['command'], options?: CommandOptions): Promise<Executed>
  /** Rejections that nobody handled, and what ended the engine. */
  unhandled: string[]
  exited: Promise<NodeJS.Signals | number>
  isRunning(): boolean
  kill(): Promise<void>
  /** Stops it as a paused machine would (SIGSTOP); `wake` continues it. */
  freeze(): void
  wake(): void
  /** Its clock is set to the next of its shifts. */
  jump(): void
  close(): Promise<void>
}

const children = new Set<ChildProcess>()
const folder = mkdtempSync(join(tmpdir(), 'lockstep-chaos-'))
const failpointLog = join(folder, 'failpoints')

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([...children].map((child) => once(child, 'exit')))
  rmSync(folder, { recursive: true })
})

/** How often each armed failpoint was reached so far: one that never was proves nothing. */
export function failpointsHit(): Record<string, number> {
  const lines = existsSync(failpointLog) ? readFileSync(failpointLog, 'utf8').split('\n').filter(Boolean) : []
  return Object.fromEntries([...Map.groupBy(lines, (line) => line)].map(([name, hits]) => [name, hits.length]))
}

/** Is the process stopped (SIGSTOP) rather than running or sleeping? */
export function isStopped(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return status.slice(status.lastIndexOf(')') + 2, status.lastIndexOf(')') + 3) === 'T'
}

/** What a process has worked so far, on all of its threads: however many others the machine has work for meanwhile. */
export function workedMs(pid: number): number {
  const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12])) // ticks of a hundredth of a second
}

/** What a process has in memory, in MiB. */
export function residentMib(pid: number): number {
  const [, kib = ''] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

const shiftedClock = new URL('./shifted-clock.ts', import.meta.url).href

/** Resolves when the host is ready for commands. `failpoints` as in LOCKSTEP_FAILPOINTS; `clockShiftsMs` makes its clock wrong, `jump` goes on to the next; `node` are options of Node. */
export async function startHost(
  url: string,
  settings: Partial<HostSettings> & { failpoints?: string; clockShiftsMs?: number[]; node?: string[] } = {},
): Promise<Host> {
  const {
    failpoints = '',
    clockShiftsMs,
    node = [],
    consume = false,
    poison = false,
    snail = false,
    inventory = false,
    options = {},
  } = settings
  const child = fork(fileURLToPath(new URL('./host.ts', import.meta.url)), {
    execArgv: clockShiftsMs ? [...node, '--import', shiftedClock] : node,
    env: {
      PATH: process.env.PATH,
      CLOCK_SHIFTS_MS: clockShiftsMs?.join(),
      CHAOS_LOG: process.env.CHAOS_LOG,
      CHAOS_HOST: JSON.stringify({ url, consume, poison, snail, inventory, options } satisfies HostSettings),
      LOCKSTEP_FAILPOINTS: failpoints,
      LOCKSTEP_FAILPOINT_LOG: failpointLog,
    },
  })
  children.add(child)
  const waiting = new Map<number, { resolve(executed: Executed): void; reject(error: Error): void }>()
  const unhandled: string[] = []
  const exited = once(child, 'exit').then(([code, signal]) => {
    children.delete(child)
    for (const { reject } of waiting.values()) reject(new Lost(`process ${child.pid} ended (${signal ?? code})`))
    waiting.clear()
    return (signal ?? code) as NodeJS.Signals | number
  })
  const name = await new Promise<string>((resolve, reject) => {
    child.on('message', (message: Message) => {
      if ('ready' in message) return resolve(message.ready)
      if ('unhandled' in message) return unhandled.push(message.unhandled)
      const call = waiting.get(message.id)
      waiting.delete(message.id)
      if ('executed' in message) call?.resolve(message.executed)
      else call?.reject(Object.assign(new Refused(message.error.message), message.error))
    })
    void exited.then((how) => reject(new Error(`the host ended (${how}) before it was ready`)))
  })
  let calls = 0
  return {
    pid: child.pid as number,
    name,
    unhandled,
    exited,
    isRunning: () => children.has(child),
    execute: (command, options = {}) =>
      new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Lost(`process ${child.pid} is gone`))
        const id = ++calls
        waiting.set(id, { resolve, reject })
        child.send({ id, command, options } satisfies Request, (error) => {
          if (error) reject(new Lost(`process ${child.pid} is gone`))
        })
      }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    freeze: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
    jump: () => void child.kill('SIGUSR2'),
    async close() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
