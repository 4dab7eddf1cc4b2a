/** Reads a feed once through, compares it page by page with the shop, keeps what differs, and judges whether that may be done. Changes nothing. */
import type { Database } from '../../engine/database.ts'
import { Unreadable } from '../import/csv.ts'
import type { Problem } from '../import/report.ts'
import { openTable } from '../import/table.ts'
import { formatOf, ImportRefused, inspect } from '../import/text-file.ts'
import { feedBaseline } from './feeds.ts'
import type { Piece, Statement, Work } from './kinds/kind.ts'
import { kinds } from './kinds.ts'
import { type Ending, lastKnown, lossOf, type Progress, type Run, stage } from './runs.ts'
import { fetchContent, SourceFailed, type SourceLimits, uploadOf } from './source.ts'
import { type Found, reasonsToHold } from './verdict.ts'

/** Statements compared and kept at once. */
const pageSize = 1_000
const problemsKept = 100

export interface Reading {
  db: Database
  work: Work
  run: Run
  limits: SourceLimits
  signal: AbortSignal
}

/** What came of it; the changes are staged. Throws TakenOver when another process reads by now. */
export async function readFeed(reading: Reading): Promise<Ending> {
  const { db, work, run, limits, signal } = reading
  const { feed } = work
  const uploaded = run.origin === 'upload'
  try {
    if (!uploaded && !feed.source) throw new SourceFailed('it has no source: upload it')
    const known = uploaded || run.forced || run.dryRun ? undefined : await lastKnown(db, feed.name)
    const source = uploaded || !feed.source ? { upload: uploadOf(db, run.id) } : feed.source
    const content = await fetchContent(source, limits, known, signal)
    if (content.unchanged) return { status: 'unchanged' }
    try {
      const { validators } = content
      const modified = feed.asOf === 'last-modified' && run.asOf === null ? validators.lastModified : null
      const time = modified === null ? Number.NaN : Date.parse(modified)
      if (time <= Date.now()) work.asOf = new Date(time).toISOString()
      const ending = await new Through(reading, content.path, content.bytes).read()
      return { ...ending, validators, asOf: work.asOf }
    } finally {
      await content[Symbol.asyncDispose]()
    }
  } catch (error) {
    if (error instanceof SourceFailed) return { status: 'failed', error: error.message }
    throw error
  }
}

/** One reading under way. */
class Through {
  readonly #reading: Reading
  readonly #path: string
  readonly #progress: Progress
  readonly #problems: Problem[] = []
  #problemsTotal = 0
  #repeated = 0
  #nameless = 0
  #statements: Statement<never>[] = []
  #keys: string[] = []
  #n = 0

  constructor(reading: Reading, path: string, bytesTotal: number) {
    this.#reading = reading
    this.#path = path
    this.#progress = { bytes: 0, bytesTotal, rows: 0, created: 0, changed: 0, unchanged: 0, refused: 0 }
  }

  async read(): Promise<Ending> {
    const { work, signal } = this.#reading
    const kind = kinds[work.feed.kind]
    let unreadable: Found['unreadable']
    try {
      const file = await inspect(this.#path)
      const format = work.feed.format ?? formatOf(file)
      const table = await openTable(file, format, (bytes) => {
        this.#progress.bytes = Math.min(this.#progress.bytes + bytes, this.#progress.bytesTotal)
      })
      const columns = kind.columns(table, { ...work.feed, format })
      if (columns !== 'own shape') work.columns = Object.fromEntries(columns)
      for await (const piece of kind.read(table, columns, work)) {
        signal.throwIfAborted()
        await this.#take(piece)
      }
    } catch (error) {
      if (error instanceof Unreadable) unreadable = { line: error.line, reason: error.message }
      else if (error instanceof ImportRefused) unreadable = { reason: inOurWords(error.message, this.#path) }
      else throw error
    }
    await this.#flush()
    return this.#judge(unreadable)
  }

  async #take(piece: Piece<never>): Promise<void> {
    this.#progress.rows += piece.rows
    this.#progress.refused += piece.refused
    this.#repeated += piece.repeated
    this.#nameless += piece.nameless
    for (const problem of piece.problems) this.#tell(problem)
    this.#keys.push(...piece.keys)
    this.#statements.push(...piece.statements)
    while (this.#statements.length >= pageSize) await this.#flush()
  }

  #tell(problem: Problem): void {
    this.#problemsTotal++
    if (this.#problems.length < problemsKept) this.#problems.push(problem)
  }

  async #flush(): Promise<void> {
    const { db, work, run } = this.#reading
    const statements = this.#statements.splice(0, pageSize)
    const keys = [...this.#keys.splice(0), ...statements.map(({ key }) => key)]
    const compared = statements.length === 0 ? [] : await kinds[work.feed.kind].compare(statements, work)
    const changes = statements.flatMap((statement, at) => {
      const comparison = compared[at]
      if (comparison === undefined || comparison === 'unchanged') this.#progress.unchanged++
      else if ('refused' in comparison) {
        this.#progress.refused++
        this.#tell({ line: statement.line, kind: 'refused', what: statement.key, reason: comparison.refused })
      } else {
        this.#progress[comparison.outcome]++
        return { ...statement, ...comparison, n: ++this.#n }
      }
      return []
    })
    await stage(db, run, { keys, changes }, this.#progress)
  }

  async #judge(unreadable: Found['unreadable']): Promise<Ending> {
    const { db, work, run } = this.#reading
    const { feed } = work
    const { rows, refused } = this.#progress
    const complete = unreadable === undefined
    const baselineRun = await feedBaseline(db, feed.name)
    const loss = complete ? await lossOf(db, run.id, baselineRun) : { baseline: 0, lost: 0 }
    const { absence } = kinds[feed.kind]
    const removing = complete && feed.absent !== 'nothing' && absence
    const known = removing ? await absence.count(db, feed, baselineRun) : 0
    const removed = removing ? await absence.stage(db, feed, { id: run.id, baselineRun, after: this.#n }) : 0
    const found = { rows, refused, removed, ...loss, known, repeated: this.#repeated, nameless: this.#nameless }
    const reasons = reasonsToHold({ ...found, ...(unreadable && { unreadable }), dryRun: run.dryRun }, feed)
    return {
      status: reasons.length > 0 ? 'held' : 'applying',
      complete,
      columns: work.columns,
      removed,
      reasons,
      problems: this.#problems.sort((one, other) => one.line - other.line),
      problemsTotal: this.#problemsTotal,
    }
  }
}

/** An import speaks of files and its command line's options. */
const inOurWords = (message: string, path: string) =>
  message
    .replaceAll(path, 'the feed')
    .replace(/say which is which: --map (.+)$/, 'its `map` says which is which, like $1')
