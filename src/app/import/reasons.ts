/** What was wrong, each reason once: how often, and where first. A file with one fault in every row has one reason, not a million. */
import type { Problem } from './report.ts'

/** JSON-able. */
export interface ReasonCount {
  kind: Problem['kind']
  column?: string
  /** As the problems say it; `…` stands where they differ. */
  reason: string
  count: number
  /** Those of the smallest numbers, five at most. */
  lines: number[]
}

interface Group {
  kind: Problem['kind']
  column: string | undefined
  /** As the first said it, until another says it otherwise. */
  reason: string
  count: number
  /** The first in the file's order. */
  first: Problem[]
}

const firstKept = 5
/** Reasons told apart; what is new after that counts as one more of its kind. Keeps memory constant whatever a file holds. */
const reasonsMax = 200

export class Reasons {
  readonly #groups = new Map<string, Group>()

  add(problem: Problem): void {
    const { kind, reason } = problem
    const column = columnOf(problem)
    const general = inGeneral(problem)
    const group = this.#group(`${kind}\n${column ?? ''}\n${general}`, { kind, column, reason, count: 0, first: [] })
    group.count++
    if (group.reason !== reason && group.reason !== other) group.reason = general
    const { first } = group
    if (first.length === firstKept && problem.line >= (first.at(-1)?.line ?? 0)) return
    first.push(problem)
    first.sort((one, another) => one.line - another.line)
    if (first.length > firstKept) first.pop()
  }

  #group(key: string, fresh: Group): Group {
    const known = this.#groups.get(key)
    if (known) return known
    if (this.#groups.size >= reasonsMax && fresh.reason !== other)
      return this.#group(`${fresh.kind}\n${other}`, { ...fresh, column: undefined, reason: other })
    this.#groups.set(key, fresh)
    return fresh
  }

  /** The most frequent first. */
  list(): ReasonCount[] {
    return [...this.#groups.values()]
      .map(({ kind, column, first, ...rest }) => ({
        kind,
        ...(column !== undefined && { column }),
        ...rest,
        lines: first.map(({ line }) => line),
      }))
      .sort((one, another) => another.count - one.count || (one.lines[0] ?? 0) - (another.lines[0] ?? 0))
  }
}

const other = 'for other reasons'

/** Whether a problem is one of those counted there. */
export const isOf = (counted: ReasonCount, problem: Problem): boolean =>
  counted.kind === problem.kind &&
  counted.column === columnOf(problem) &&
  (counted.reason === problem.reason || counted.reason === inGeneral(problem))

/** In JSON, `variants.0.sku` and `variants.1.sku` are one. */
const columnOf = ({ column }: Problem) => column?.replaceAll(/(?<=\.)\d+(?=\.|$)/g, '…')

/** Without what is said of one record alone: quoted text, its own name, and words with digits, be they numbers, SKUs or ids. */
const inGeneral = ({ reason, what }: Problem): string =>
  (what === undefined || what === '' ? reason : reason.replaceAll(what, '…'))
    .replaceAll(/"(?:[^"\\]|\\.)*"|(?!0\s)[^\s"(),;:]*\d[^\s"();:]*/g, '…')
    .replaceAll(/…(?:…|, …)+/g, '…')
