/** What a kind of feed (catalogue, price, stock) has to know: what its rows state, how that differs from the shop, and how to make it so. */
import type { Sql } from '../../../engine/database.ts'
import type { FieldChange } from '../../../engine/event.ts'
import type { CommandOptions } from '../../../engine/executor.ts'
import type { Problem } from '../../import/report.ts'
import type { Row, Table } from '../../import/rows.ts'
import type { Shop } from '../../import/shop.ts'
import type { Feed } from '../definition.ts'

/** What one row, or the rows of one product, state. */
export interface Statement<Says = object> {
  /** What it is about: each once a feed. */
  key: string
  line: number
  says: Says
}

/** A part of a feed as read. */
export interface Piece<Says = object> {
  rows: number
  statements: Statement<Says>[]
  problems: Problem[]
  /** Rows that are not taken, those repeated among them. */
  refused: number
  repeated: number
  /** What refused rows are about: it is not absent. */
  keys: string[]
  /** Refused rows of which nobody knows what they are about. */
  nameless: number
}

export const emptyPiece = <Says>(rows: number): Piece<Says> => ({
  rows,
  statements: [],
  problems: [],
  refused: 0,
  repeated: 0,
  keys: [],
  nameless: 0,
})

/** Why a row is not taken. */
export interface Refusal {
  refused: string
  field?: string
  /** Another row is about the same. */
  repeated?: boolean
}

/** Notes a row that is not taken; `key` is what it is about, '' when nobody knows. */
export function refuse(
  piece: Omit<Piece, 'statements'>,
  row: Row,
  key: string,
  { refused, field, repeated }: Refusal,
): void {
  const column = field === undefined ? {} : { column: row.column(field) }
  piece.problems.push({ line: row.line, ...column, kind: 'refused', ...(key && { what: key }), reason: refused })
  piece.refused++
  if (repeated) piece.repeated++
  if (key === '') piece.nameless++
  else piece.keys.push(key)
}

export type Comparison = { outcome: 'created' | 'changed'; changes: FieldChange[] } | 'unchanged' | { refused: string }

export interface Change<Says = object> {
  n: number
  key: string
  outcome: 'created' | 'changed' | 'removed'
  says: Says
}

export interface Work {
  shop: Shop
  feed: Feed
  runId: number
  /** The time that rows speak of which name none: ISO 8601, UTC. */
  asOf: string
  /** Field of ours → column of theirs; none when the feed is in our own shape. */
  columns: Record<string, string>
  /** For the command that carries a change out: the same for the same change, whoever tries, however often. */
  options(change: Change<never>, attempt?: number): CommandOptions
}

/** Keys of what the feed is responsible for now, and what would be stated of those that are absent. */
export interface Absence {
  /** How many live things its scope or its baseline names. */
  count(db: Sql, feed: Feed, baselineRun: number | null): Promise<number>
  /** Stages a removal of each that the run does not name, numbered behind `after`. Answers how many. */
  stage(db: Sql, feed: Feed, run: { id: number; baselineRun: number | null; after: number }): Promise<number>
}

export interface Kind<Says extends object> {
  /** The columns it reads; throws ImportRefused when those it needs are missing. */
  columns(table: Table, feed: Feed): Map<string, string> | 'own shape'
  read(table: Table, columns: Map<string, string> | 'own shape', work: Work): AsyncGenerator<Piece<Says>>
  /** One comparison a statement, in their order. */
  compare(statements: Statement<Says>[], work: Work): Promise<Comparison[]>
  /** Makes it so, measured against what is there by now; a reason for each that can't be. */
  apply(changes: Change<Says>[], work: Work): Promise<(string | undefined)[]>
  /** Absent where nothing is ever removed. */
  absence?: Absence
}
