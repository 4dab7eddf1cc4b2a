/** What an import did, line by line: counts for people and programs, and a file with an entry for every record. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { paintAside } from '../colours.ts'
import { isOf, type ReasonCount, Reasons } from './reasons.ts'

export interface Problem {
  /** Line on which the record begins; the header is line 1. */
  line: number
  /** The file's own name of the column. */
  column?: string
  /** `repaired`: taken, but not as it stood. `refused`: not taken. `rejected`: read well, but the shop's rules forbid it. */
  kind: 'repaired' | 'refused' | 'rejected'
  /** The product, SKU or order concerned, as far as known. */
  what?: string
  reason: string
}

/** JSON-able. */
export interface Report {
  file: string
  kind: 'catalogue' | 'stock' | 'orders'
  format: string
  encoding: string
  /** Field of ours → column of theirs, as it was read. */
  columns: Record<string, string>
  dryRun: boolean
  /** Rows read, header and blank lines not counted. */
  rows: number
  seconds: number
  counts: Record<string, number>
  /** The first 1,000 in the file's order; the file `full` has all. */
  problems: Problem[]
  problemsTotal: number
  /** Of all of them, the most frequent first. */
  reasons: ReasonCount[]
  notes: string[]
  /** Path of the NDJSON file that has every entry. */
  full?: string
  /** The file could not be read, or the work not go on, from here; what came before was taken. */
  stopped?: { line?: number; reason: string }
}

const kept = 1_000
const shown = 20
/** So many of one reason are told apart, more are told together. */
const apart = 3

/** Collects the report while the import runs, in constant memory. */
export class ReportWriter {
  readonly #report: Report
  #path: string | undefined
  readonly #entries: boolean
  readonly #reasons = new Reasons()
  readonly #begun = performance.now()
  #file: number | undefined
  #buffer = ''

  /** With `path`, each record taken has an entry in that file too; without one, only problems have, and only when they are many. */
  constructor(head: Pick<Report, 'file' | 'kind' | 'format' | 'encoding' | 'dryRun'>, path?: string) {
    this.#path = path
    this.#entries = path !== undefined
    this.#report = {
      ...head,
      columns: {},
      rows: 0,
      seconds: 0,
      counts: {},
      problems: [],
      problemsTotal: 0,
      reasons: [],
      notes: [],
    }
    if (path !== undefined) this.#file = openSync(path, 'w')
  }

  set columns(columns: Map<string, string>) {
    this.#report.columns = Object.fromEntries(columns)
  }

  count(name: string, by = 1): void {
    this.#report.counts[name] = (this.#report.counts[name] ?? 0) + by
  }

  /** A record that was taken, or found to be there already. */
  entry(line: number, what: string, outcome: string): void {
    if (this.#entries) this.#write({ line, what, outcome })
  }

  problem(problem: Problem): void {
    const { problems } = this.#report
    this.#report.problemsTotal++
    this.count(problem.kind)
    this.#reasons.add(problem)
    if (problems.length < kept) problems.push(problem)
    if (!this.#entries && this.#report.problemsTotal === shown + 1) {
      this.#path = join(tmpdir(), `lockstep-import-${Date.now()}-${process.pid}.ndjson`)
      this.#file = openSync(this.#path, 'w')
      for (const earlier of problems) this.#write(earlier)
    } else this.#write(problem)
  }

  note(text: string): void {
    if (!this.#report.notes.includes(text)) this.#report.notes.push(text)
  }

  /** Closes the file and gives the report. */
  finish(rows: number, stopped?: Report['stopped']): Report {
    if (this.#file !== undefined) {
      writeSync(this.#file, this.#buffer)
      closeSync(this.#file)
    }
    const { problems, ...rest } = this.#report
    return {
      ...rest,
      rows,
      seconds: Math.round(performance.now() - this.#begun) / 1_000,
      problems: problems.sort((one, other) => one.line - other.line),
      reasons: this.#reasons.list(),
      ...(this.#path !== undefined && { full: this.#path }),
      ...(stopped && { stopped }),
    }
  }

  #write(entry: object): void {
    if (this.#file === undefined) return
    this.#buffer += `${JSON.stringify(entry)}\n`
    if (this.#buffer.length < 65_536) return
    writeSync(this.#file, this.#buffer)
    this.#buffer = ''
  }
}

/** The report for a terminal: counts, what was wrong and where, where the rest is. `verbose` tells every problem it has for itself. */
export function formatReport(report: Report, { verbose = false }: { verbose?: boolean | undefined } = {}): string {
  const number = (value: number) => value.toLocaleString('en')
  const rate = report.seconds > 0 ? ` (${number(Math.round(report.rows / report.seconds))} rows/s)` : ''
  const lines = [
    `${paintAside.bold(report.file)}  ${report.format}, ${report.encoding}${report.dryRun ? paintAside.yellow('  dry run: nothing was changed') : ''}`,
    `${number(report.rows)} rows in ${report.seconds.toFixed(1)} s${rate}`,
  ]
  const columns = Object.entries(report.columns).map(([field, column]) => `${field} = ${column}`)
  if (columns.length > 0) lines.push(paintAside.dim(`read as: ${columns.join(', ')}`))
  const counts = Object.entries(report.counts).filter(([, value]) => value > 0)
  for (const [name, value] of counts) lines.push(`${number(value).padStart(11)}  ${inWords(name)}`)
  for (const note of report.notes) lines.push(`${paintAside.yellow('note')} ${note}`)
  if (report.stopped) {
    const where = report.stopped.line === undefined ? '' : ` at line ${report.stopped.line}`
    const rest =
      report.stopped.reason === 'interrupted' ? 'the same file again takes the rest' : 'what came before was taken'
    lines.push(paintAside.red(`stopped${where}: ${report.stopped.reason}; ${rest}`))
  }
  const { told, count } = verbose ? eachProblem(report) : eachReason(report)
  lines.push(...told)
  if (report.problemsTotal > count) lines.push(`  … and ${number(report.problemsTotal - count)} more`)
  if (report.full !== undefined) lines.push(`full report: ${report.full}`)
  return lines.join('\n')
}

/** productsCreated → products created */
const inWords = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** What was told, and how many problems that was. */
interface Told {
  told: string[]
  count: number
}

const eachProblem = ({ problems }: Report): Told => ({ told: problems.map(formatProblem), count: problems.length })

/** The reasons that many have in common, then what stands alone. */
function eachReason({ reasons, problems }: Report): Told {
  const told: string[] = []
  let count = 0
  for (const each of reasons) {
    const those = each.count > apart ? [] : problems.filter((problem) => isOf(each, problem))
    const lines = those.length === each.count ? those.map(formatProblem) : [formatReason(each)]
    if (told.length + lines.length > shown) break
    told.push(...lines)
    count += each.count
  }
  return { told, count }
}

const marked = (kind: Problem['kind']) =>
  kind === 'repaired' ? paintAside.yellow(kind) : paintAside.red(kind.padEnd(8))

function formatReason({ kind, column, reason, count, lines: [first, ...others] }: ReasonCount): string {
  const more = `${[...others, ...(count > others.length + 1 ? ['…'] : [])].join(', ')}`
  const at = count === 1 ? '' : `  ${paintAside.dim(`lines ${first}, ${more}`)}`
  const head = (count === 1 ? `line ${String(first).padStart(6)}` : `${count.toLocaleString('en')} ×`).padStart(11)
  return `  ${marked(kind)} ${head}  ${column === undefined ? '' : `[${column}]: `}${reason}${at}`
}

function formatProblem({ line, kind, column, what, reason }: Problem): string {
  const subject = [what, column && `[${column}]`].filter(Boolean).join(' ')
  return `  ${marked(kind)} line ${String(line).padStart(6)}  ${subject}${subject ? ': ' : ''}${reason}`
}
