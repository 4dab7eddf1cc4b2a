/** The rows of a CSV file. */
import { type CsvRecord, csvRecords, delimiterOf } from './csv.ts'
import { fieldsOf, notUtf8, type Row, readable, splitList, type Table } from './rows.ts'
import { ImportRefused, type TextFile, textOf } from './text-file.ts'

/** Nothing but the header is read before `rows`. */
export async function openCsv(file: TextFile, read: (bytes: number) => void): Promise<Table> {
  const delimiter = delimiterOf(file.head)
  const found = await headerOf(
    csvRecords(
      textOf(file, () => {}),
      delimiter,
    ),
  )
  return {
    found,
    async *rows(columns) {
      const places = new Map([...columns].map(([field, name]) => [field, found.indexOf(name)]))
      // One piece behind, for the last record of a file that was cut off looks like any other.
      let held: CsvRow[] = []
      let isHeader = true
      try {
        for await (const piece of csvRecords(textOf(file, read), delimiter)) {
          if (piece.length === 0) continue
          yield held
          held = piece.map(({ line, cells }) => new CsvRow(line, cells, places, found, file))
          if (isHeader) held.shift()
          isHeader = false
        }
      } catch (error) {
        yield held
        throw error
      }
      const last = held.at(-1)
      if (last?.odd && !file.endsInNewline) last.refused = 'the file ends in the middle of this row'
      yield held
    },
  }
}

async function headerOf(records: AsyncGenerator<CsvRecord[]>): Promise<string[]> {
  for await (const [header] of readable(records)) if (header) return header.cells.map((name) => name.trim())
  throw new ImportRefused('there is no header line in this file')
}

class CsvRow implements Row {
  readonly line: number
  refused?: string
  odd?: string
  readonly #cells: string[]
  readonly #places: Map<string, number>
  readonly #header: string[]

  constructor(line: number, cells: string[], places: Map<string, number>, header: string[], file: TextFile) {
    this.line = line
    this.#cells = cells
    this.#places = places
    this.#header = header
    if (cells.length > header.length && cells.slice(header.length).some((cell) => cell.trim() !== '')) {
      this.refused = `has ${cells.length} cells, the header ${header.length}: is there a comma outside quotes?`
    } else if (cells.length < header.length) {
      this.odd = `has ${cells.length} cells, the header ${header.length}: the missing ones are read as empty`
    }
    if (file.damaged && cells.some((cell) => cell.includes('\ufffd'))) this.refused = notUtf8
  }

  text(field: string): string {
    const place = this.#places.get(field)
    return place === undefined ? '' : uncovered(this.#cells[place]?.trim() ?? '')
  }

  list(field: string, separator?: RegExp): string[] {
    return splitList(this.text(field), separator)
  }

  fields(prefix: string): string[] {
    return fieldsOf(this.#places, prefix)
  }

  column(field: string): string {
    return this.#header[this.#places.get(field) ?? -1] ?? field
  }
}

/** Without the apostrophe that spreadsheets and careful exports put before what looks like a formula or a number. */
const uncovered = (text: string) => (/^'[=+\-@\t\d]/.test(text) ? text.slice(1) : text)
