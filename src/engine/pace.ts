/** What a lane has learned from its batches: how many commands the next may have, and how long those who wait will. */

/** Commands in a lane's first batch at most; each may have four times as many as the last, until one takes longer than it should. */
const FIRST = 64
const GROWTH = 4
/** A transaction must not come near its time limit, nor callers near their deadline. */
export const BATCH_MS = 1_000

export interface Pace {
  /** Commands in a batch at most, whatever it takes. */
  readonly most: number
  /** Commands in the next batch at most. */
  readonly room: number
  /** Milliseconds each command of the last batch took and of the one before; 0 while a much larger batch might take no longer. */
  readonly costs: readonly [last: number, before: number]
}

export const firstPace = (most: number): Pace => ({ most, room: Math.min(FIRST, most), costs: [0, 0] })

/** After a batch of so many commands that took so long. */
export function learned({ most, room, costs }: Pace, commands: number, ms: number): Pace {
  const fitting = Math.max(1, Math.floor(commands * Math.min(GROWTH, BATCH_MS / ms)))
  const full = commands >= most || ms >= BATCH_MS / 2
  return {
    most,
    room: ms <= BATCH_MS ? Math.min(most, Math.max(room, fitting)) : Math.min(room, fitting),
    costs: [full ? ms / commands : 0, costs[0]],
  }
}

/**
 * Shares of a command's deadline. Who comes and is expected to wait for longer than the first is turned away at once; who was let in before that was
 * known, and is expected to wait for longer than the second, as soon as it is.
 */
export const LATE = { coming: 1 / 3, waiting: 2 / 3 }

/** A batch that is not committed yet: its commands, and for how long it has been at work. */
export interface UnderWay {
  readonly commands: number
  readonly ms: number
}

/**
 * Milliseconds that each command will take, as far as is known. A single batch that was slow says nothing: it takes two. The second need not have ended:
 * one that is slow already takes at least the time it has taken.
 */
export function costMs({ costs: [last, before] }: Pace, { commands, ms }: UnderWay = { commands: 1, ms: 0 }): number {
  const known = Math.min(last, before)
  return ms < BATCH_MS / 2 ? known : Math.max(known, Math.min(last, ms / commands))
}
