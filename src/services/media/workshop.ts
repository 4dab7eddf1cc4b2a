/** Where renditions are made: processes of their own, so that a crash, a bomb or a slow image is theirs alone and the shop's threads stay free. */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GiveUp } from '../../engine/verdict.ts'
import type { Limits } from './content.ts'
import type { MadeImage } from './renditions.ts'
import type { MadeVideo } from './video.ts'

export interface Job {
  kind: 'image' | 'video'
  file: string
  /** Where renditions are written to. */
  folder: string
  limits: Limits
}
export type Made = MadeImage | MadeVideo
export type Outcome = { made: Made } | { refused: string } | { failed: string }

/** One core stays free for everything else. */
export const WIDTH = Math.max(1, Math.min(4, availableParallelism() - 1))
/** A process with nothing to do ends, and gives back its memory. */
const IDLE_MS = 10_000
/** Memory that an image library lost piece by piece comes back with a new process. */
const JOBS_A_PROCESS = 500

interface Hand {
  process: ChildProcess
  jobs: number
  idle?: NodeJS.Timeout
}

export class Workshop {
  readonly #timeoutMs: number
  readonly #free: Hand[] = []
  readonly #all = new Set<Hand>()
  readonly #waiting: (() => void)[] = []
  #busy = 0
  #closed = false

  constructor(timeoutMs = 60_000) {
    this.#timeoutMs = timeoutMs
  }

  /** Throws GiveUp for content that can't be used; another error when the process died over it or took too long, which may be the machine's fault. */
  async make(job: Job): Promise<Made> {
    if (this.#busy < WIDTH) this.#busy++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await this.#makeNow(job)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#busy--
    }
  }

  close(): void {
    this.#closed = true
    for (const hand of this.#all) this.#dismiss(hand)
  }

  async #makeNow(job: Job): Promise<Made> {
    if (this.#closed) throw new Error('the workshop is closed')
    const hand = this.#free.pop() ?? this.#hire()
    clearTimeout(hand.idle)
    try {
      const outcome = await this.#ask(hand, job)
      if (++hand.jobs < JOBS_A_PROCESS && !this.#closed) this.#rest(hand)
      else this.#dismiss(hand)
      if ('made' in outcome) return outcome.made
      throw 'refused' in outcome ? new GiveUp(outcome.refused) : new Error(outcome.failed)
    } catch (error) {
      if (!this.#free.includes(hand)) this.#dismiss(hand)
      throw error
    }
  }

  #ask({ process }: Hand, job: Job): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer)
        process.off('message', answered).off('exit', exited).off('error', failed)
        settle()
      }
      const answered = (outcome: Outcome) => done(() => resolve(outcome))
      const exited = () => done(() => reject(new Error('the program that reads images crashed over it')))
      const failed = (error: Error) => done(() => reject(error))
      const timer = setTimeout(
        () => done(() => reject(new Error(`it took longer than ${this.#timeoutMs / 1_000} s to read`))),
        this.#timeoutMs,
      )
      process.on('message', answered).on('exit', exited).on('error', failed)
      process.send(job, (error) => error && failed(error))
    })
  }

  #hire(): Hand {
    const program = new URL(`./workshop-process${extname(import.meta.url)}`, import.meta.url) // .js once built
    // It gets none of the shop's secrets: the environment stays here.
    const child = fork(fileURLToPath(program), {
      execArgv: [],
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    child.unref()
    child.channel?.unref()
    child.on('error', () => {})
    const hand: Hand = { process: child, jobs: 0 }
    child.on('exit', () => this.#dismiss(hand))
    this.#all.add(hand)
    return hand
  }

  #rest(hand: Hand): void {
    this.#free.push(hand)
    hand.idle = setTimeout(() => this.#dismiss(hand), IDLE_MS)
    hand.idle.unref()
  }

  #dismiss(hand: Hand): void {
    clearTimeout(hand.idle)
    this.#all.delete(hand)
    const place = this.#free.indexOf(hand)
    if (place >= 0) this.#free.splice(place, 1)
    hand.process.kill('SIGKILL')
  }
}
