/** Whether what a feed would do is done, or a person must look first. Pure. */
import type { Feed } from './definition.ts'

export interface Reason {
  code:
    | 'unreadable'
    | 'repeated-keys'
    | 'rows-lost'
    | 'much-removed'
    | 'rows-refused'
    | 'unsure-removals'
    | 'empty'
    | 'dry-run'
  detail: string
}

/** What a run has read. */
export interface Found {
  rows: number
  refused: number
  removed: number
  /** Keys that stood twice. */
  repeated: number
  /** Of the baseline's keys, and those that are gone. */
  baseline: number
  lost: number
  /** What its scope has now, of which `removed` would go. */
  known: number
  /** Refused rows of which nobody knows what they were about. */
  nameless: number
  unreadable?: { line?: number; reason: string }
  dryRun: boolean
}

/** Why it is held: none, and it is carried out. */
export function reasonsToHold(found: Found, feed: Pick<Feed, 'maxLossShare' | 'maxRefusedShare'>): Reason[] {
  const { rows, refused, removed, repeated, baseline, lost, known, nameless, unreadable } = found
  const reasons: Reason[] = []
  const hold = (code: Reason['code'], detail: string) => reasons.push({ code, detail })
  if (unreadable) {
    const where = unreadable.line === undefined ? '' : `from line ${unreadable.line} on `
    hold('unreadable', `${where}it can't be read: ${unreadable.reason}`)
  } else if (rows === 0) hold('empty', 'it has no rows')
  if (repeated > 0) hold('repeated-keys', `${repeated} rows repeat what another row is about; the first counts`)
  if (lost > baseline * feed.maxLossShare)
    hold('rows-lost', `${lost} of the ${baseline} rows it had are gone, ${part(lost, baseline)}`)
  if (removed > known * feed.maxLossShare && removed > 0)
    hold('much-removed', `${removed} of ${known} would be removed, ${part(removed, known)}`)
  if (refused > rows * feed.maxRefusedShare)
    hold('rows-refused', `${refused} of ${rows} rows can't be taken, ${part(refused, rows)}`)
  if (nameless > 0 && removed > 0)
    hold('unsure-removals', `${nameless} rows can't be read; some of what would be removed may be theirs`)
  if (found.dryRun) hold('dry-run', 'asked only what it would do')
  return reasons
}

const part = (some: number, all: number) => `${((some / Math.max(1, all)) * 100).toFixed(1).replace(/\.0$/, '')} %`
