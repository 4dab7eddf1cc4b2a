/** What a command prints: data on stdout, as a table for people or as JSON, NDJSON or YAML for programs; words for people on stderr. */
import { paint } from '../colours.ts'
import { chosen, mustHave, type Selection, selection, walked } from './selection.ts'
import { toYaml } from './yaml.ts'

export const formats = ['table', 'wide', 'json', 'ndjson', 'yaml'] as const
export type Format = (typeof formats)[number]

export interface Column<Row> {
  head: string
  value(row: Row): string | number
  /** Shown by `-o wide` alone. */
  wide?: boolean
  paint?(text: string, row: Row): string
}

/** Words for people, not part of the data. */
export const say = (line: string) => void process.stderr.write(`${line}\n`)

export interface OutputOptions {
  output: Format
  json?: string
  jq?: string
}

// One for a run of the program, as colours are: every command prints through here.
let selected: Selection = { fields: undefined, path: undefined }

/** The format that was asked for; JSON where fields or a path were and the format says nothing else. */
export function formatOf(options: OutputOptions): Format {
  selected = selection(options)
  const narrowed = options.json !== undefined || options.jq !== undefined
  return narrowed && (options.output === 'table' || options.output === 'wide') ? 'json' : options.output
}

/** Numbers stand right; the last column is cut to the terminal's width unless the format is wide. */
export function printList<Row extends object>(format: Format, rows: readonly Row[], columns: readonly Column<Row>[]) {
  if (format === 'table' || format === 'wide') {
    if (rows.length > 0) for (const line of table(rows, columns, format === 'wide')) print(line)
    return
  }
  const data = plain(rows as Row[])
  mustHave(data, selected)
  if (format === 'ndjson') for (const row of data) printData(format, row)
  else
    emit(
      format,
      data.map((row) => chosen(row, selected)),
    )
}

/** One thing: `text` is what people see of it. */
export function printOne(format: Format, one: object, text: () => string): void {
  if (format === 'table' || format === 'wide') print(text())
  else {
    mustHave([plain(one)], selected)
    printData(format, one)
  }
}

/** One thing for programs; of a stream, one line. */
export function printData(format: Exclude<Format, 'table' | 'wide'>, one: unknown): void {
  emit(format, chosen(plain(one), selected))
}

function emit(format: Format, value: unknown): void {
  if (selected.path) for (const line of walked(value, selected.path)) print(line)
  else if (format === 'ndjson') print(JSON.stringify(value))
  else print(format === 'yaml' ? toYaml(value) : JSON.stringify(value, null, 2))
}

export const print = (line: string) => void process.stdout.write(`${line}\n`)

export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], wide = false): string[] {
  const shown = columns.filter((column) => wide || !column.wide)
  const cells = rows.map((row) => shown.map((column) => column.value(row)))
  const texts = cells.map((line) => line.map((cell) => oneLine(typeof cell === 'number' ? grouped(cell) : cell)))
  const right = shown.map((_, n) => cells.length > 0 && cells.every((line) => typeof line[n] === 'number'))
  const widths = shown.map(({ head }, n) => Math.max(head.length, ...texts.map((line) => widthOf(line[n] ?? ''))))
  const room = wide || !process.stdout.isTTY ? Number.POSITIVE_INFINITY : process.stdout.columns
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  const line = (parts: string[], colour: (text: string, n: number) => string) =>
    parts
      .map((part, n) => {
        const last = n === parts.length - 1
        const text = last ? cut(part, Math.max(12, room - before - 1)) : part
        const padding = ' '.repeat(Math.max(0, (widths[n] ?? 0) - widthOf(text)))
        return right[n] ? padding + colour(text, n) : colour(text, n) + (last ? '' : padding)
      })
      .join('  ')
      .trimEnd()
  return [
    line(
      shown.map(({ head }) => head.toUpperCase()),
      (text) => paint.dim(text),
    ),
    ...texts.map((parts, at) => line(parts, (text, n) => shown[n]?.paint?.(text, rows[at] as Row) ?? text)),
  ]
}

export const grouped = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 3 })

/** `3 ms`, `1.2 s`, `4 min`, `2 h`, `3 d`. */
export function lasting(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`
  return seconds < 2 * 86_400 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}

/** What a terminal must not act on is shown as a replacement character: text may come from anywhere. */
export const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll(/\p{C}/gu, '\u{fffd}')

export const cut = (text: string, width: number) =>
  widthOf(text) > width ? `${[...text].slice(0, Math.max(0, width - 1)).join('')}…` : text

const widthOf = (text: string) => [...text].length

/** Dates as text, as JSON has them. */
const plain = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value))
