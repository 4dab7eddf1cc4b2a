/** What a command prints: data on stdout, as a table for people or as JSON, NDJSON or YAML for programs; words for people on stderr. */
import { paint } from '../colours.ts'
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

/** Numbers stand right; the last column is cut to the terminal's width unless the format is wide. */
export function printList<Row>(format: Format, rows: readonly Row[], columns: readonly Column<Row>[]): void {
  if (format === 'ndjson') for (const row of rows) print(JSON.stringify(row))
  else if (format === 'json') print(JSON.stringify(rows, null, 2))
  else if (format === 'yaml') print(toYaml(plain(rows)))
  else if (rows.length > 0) for (const line of table(rows, columns, format === 'wide')) print(line)
}

/** One thing: `text` is what people see of it. */
export function printOne(format: Format, one: unknown, text: () => string): void {
  if (format === 'ndjson') print(JSON.stringify(one))
  else if (format === 'json') print(JSON.stringify(one, null, 2))
  else if (format === 'yaml') print(toYaml(plain(one)))
  else print(text())
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
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
