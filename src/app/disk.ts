/**
 * The disk that the embedded database is on. When little is left nobody writes any more, so that reads are served on. Written to the last byte it
 * would take reads away too: Postgres needs room to let anybody in, and without any for its log ends all sessions (PROOF, 9). So a file
 * of no use is kept there, whose room Postgres gets when everything else is gone.
 */
import { statfsSync } from 'node:fs'
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const MIB = 2 ** 20
/** Two segments of the database's log. */
const KEPT_BYTES = 32 * MIB
/** Writes need so much beside what is kept. */
const RESERVE_BYTES = 64 * MIB
/** Milliseconds that a look holds good. */
const LOOK_MS = 250

export class Disk {
  readonly #directory: string
  readonly #reserveBytes: number
  #lookedAt = Number.NEGATIVE_INFINITY
  #shortage: string | undefined
  #keeping: Promise<void> | undefined

  constructor(directory: string, { reserveBytes = RESERVE_BYTES } = {}) {
    this.#directory = directory
    this.#reserveBytes = reserveBytes
  }

  get #kept(): string {
    return join(this.#directory, 'kept-for-a-full-disk')
  }

  /** Why nothing can be written now, and what to do; undefined while there is room. */
  shortage(): string | undefined {
    const now = performance.now()
    if (now - this.#lookedAt < LOOK_MS) return this.#shortage
    this.#lookedAt = now
    return (this.#shortage = this.#look())
  }

  #look(): string | undefined {
    const { bavail, bsize } = statfsSync(this.#directory)
    const free = bavail * bsize
    const short = free < this.#reserveBytes
    if (short || free > this.#reserveBytes + 2 * KEPT_BYTES) this.#keeping ??= this.#keep(!short)
    if (!short) return undefined
    const [left, needed] = [free, this.#reserveBytes].map((bytes) => Math.floor(bytes / MIB))
    return `the disk of ${this.#directory} has ${left} MiB left, writes need ${needed}: make room, and they go on by themselves`
  }

  /** Sets the room aside or gives it away; whatever fails is tried again at the next look. */
  async #keep(aside: boolean) {
    const is = await stat(this.#kept).catch(() => undefined)
    if (!aside) await rm(this.#kept, { force: true }).catch(() => {})
    else if (is?.size !== KEPT_BYTES) await writeFile(this.#kept, Buffer.alloc(KEPT_BYTES)).catch(() => {})
    this.#keeping = undefined
  }
}
