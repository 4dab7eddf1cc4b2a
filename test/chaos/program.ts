/** The whole program as a process of its own, as `npm start` runs it, and callers of its API. None outlives its test file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { openAuth } from '../../src/app/http/auth.ts'

const cli = fileURLToPath(new URL('../../src/app/cli.ts', import.meta.url))
const secret = 'chaos'.repeat(8)

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API answers
  body: any
  ms: number
}

export interface Program {
  pid: number
  url: string
  /** What it told people and logged. */
  told(): string
  /** As an administrator. Rejects when there is no answer at all. */
  call(path: string, method?: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  exited: Promise<NodeJS.Signals | number>
  isRunning(): boolean
  close(): Promise<void>
}

export interface ProgramOptions {
  settings: Record<string, string>
  /** Options of Node, such as the size of its heap. */
  node?: string[]
  /** A command that is given the program's own and becomes it. */
  within?: string[]
}

const children = new Set<ChildProcess>()
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([...children].map((child) => once(child, 'exit')))
})

const environment = (settings: Record<string, string>) => ({
  PATH: process.env.PATH,
  LOCKSTEP_DEMO: 'off',
  LOCKSTEP_JWT_SECRET: secret,
  PORT: '0',
  LOG_LEVEL: 'warn',
  ...settings,
})

function launch({ settings, node = [], within = [] }: ProgramOptions, args: string[]): ChildProcess {
  const [command = '', ...rest] = [...within, process.execPath, ...node, cli, ...args]
  const child = spawn(command, rest, { env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** Resolves when it serves. Throws what it said when it ends before. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const child = launch(options, ['serve'])
  let told = ''
  child.stdout?.on('data', (text) => (told += text))
  const exited = once(child, 'exit').then(([code, signal]) => (signal ?? code) as NodeJS.Signals | number)
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (text) => {
      told += text
      if (told.includes('╰')) resolve()
    })
    void exited.then((how) => reject(new Error(`it ended (${how}) before it served:\n${told}`)))
  })
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(told)?.[0] ?? ''
  const token = await openAuth({ secret }).issueToken({ role: 'ADMIN', subject: 'chaos', ttlSeconds: 3_600 })
  return {
    pid: child.pid as number,
    url,
    told: () => told,
    exited,
    isRunning: () => children.has(child),
    async call(path, method = 'GET', body, headers = {}) {
      const since = performance.now()
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const answer = { status: response.status, headers: response.headers, ms: performance.now() - since }
      return { ...answer, body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text }
    },
    async close() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Runs a command of the program to its end, or until `until` resolves: then it is killed. */
export async function runProgram(options: ProgramOptions, args: string[], until?: () => Promise<void>) {
  const child = launch(options, args)
  void until?.().then(() => child.kill('SIGKILL'))
  let told = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (told += text))
  const [code, signal] = await once(child, 'close')
  return { ended: (signal ?? code) as NodeJS.Signals | number, told }
}
