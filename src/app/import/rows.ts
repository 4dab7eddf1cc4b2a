/** The rows of a file, of any format, seen through its columns: what `products.ts` and `orders.ts` read from. */
import { type CsvRecord, csvRecords, delimiterOf, Unreadable } from './csv.ts'
import { arrayElements, type JsonRecord, jsonLines } from './json.ts'
import { type Format, ImportRefused, type TextFile, textOf } from './text-file.ts'

/** One row through the map. */
export interface Row {
  line: number
  /** The cell's text, trimmed; '' when the column or the cell is not there. */
  text(field: string): string
  /** A list: a JSON array's entries, else the text split at commas. */
  list(field: string): string[]
  /** The mapped fields that begin so. */
  fields(prefix: string): string[]
  /** What the file calls a field. */
  column(field: string): string
  /** Why the row can't be read at all, if so. */
  refused?: string
  /** Said aloud in the report: cells missing at the row's end. */
  odd?: string
}

export interface Table {
  /** Names of the columns found: the header, or the fields of the first JSON object. */
  found: string[]
  /** Rows in pieces, through these columns (field → name). Throws `Unreadable` after the rows before it. */
  rows(columns: Map<string, string>): AsyncGenerator<Row[]>
  /** Elements as they are; JSON only. */
  values?(): AsyncGenerator<JsonRecord[]>
}

/** Opens a table; nothing but its head is read before `rows`. */
export async function openTable(file: TextFile, format: Format, read: (bytes: number) => void): Promise<Table> {
  return format === 'csv' ? openCsv(file, read) : openJson(file, format, read)
}

async function openCsv(file: TextFile, read: (bytes: number) => void): Promise<Table> {
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

/** The head of a file: when not even that can be read, nothing was taken. */
async function* readable<Piece>(pieces: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  try {
    yield* pieces
  } catch (error) {
    throw error instanceof Unreadable ? new ImportRefused(`line ${error.line}: ${error.message}`) : error
  }
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

  list(field: string): string[] {
    return splitList(this.text(field))
  }

  fields(prefix: string): string[] {
    return fieldsOf(this.#places, prefix)
  }

  column(field: string): string {
    return this.#header[this.#places.get(field) ?? -1] ?? field
  }
}

const fieldsOf = (columns: Map<string, unknown>, prefix: string) =>
  [...columns.keys()].filter((field) => field.startsWith(prefix))

const notUtf8 = 'has bytes that are not UTF-8: letters were lost; save the file as UTF-8 again'

/** Without the apostrophe that spreadsheets and careful exports put before what looks like a formula or a number. */
const uncovered = (text: string) => (/^'[=+\-@\t\d]/.test(text) ? text.slice(1) : text)

const splitList = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

async function openJson(file: TextFile, format: Format, read: (bytes: number) => void): Promise<Table> {
  const elements = format === 'json' ? arrayElements : jsonLines
  const found = await firstFields(elements(textOf(file, () => {})))
  const records = () => elements(textOf(file, read))
  return {
    found,
    values: records,
    async *rows(columns) {
      for await (const piece of records()) yield piece.map((record) => new JsonRow(record, columns, file))
    },
  }
}

async function firstFields(records: AsyncGenerator<JsonRecord[]>): Promise<string[]> {
  for await (const piece of readable(records)) {
    for (const record of piece) if ('value' in record && isObject(record.value)) return Object.keys(record.value)
  }
  throw new ImportRefused('there is no object in this file')
}

class JsonRow implements Row {
  readonly line: number
  refused?: string
  readonly #value: unknown
  readonly #columns: Map<string, string>

  constructor(record: JsonRecord, columns: Map<string, string>, file: TextFile) {
    this.line = record.line
    this.#columns = columns
    this.#value = 'value' in record ? record.value : undefined
    if ('refused' in record) this.refused = record.refused
    else if (!isObject(record.value)) this.refused = 'is no object'
    else if (file.damaged && JSON.stringify(record.value).includes('\ufffd')) this.refused = notUtf8
  }

  text(field: string): string {
    const value = this.#at(field)
    if (!Array.isArray(value)) return scalar(value)
    // Categories as a list go from the wide to the narrow one.
    return value
      .map(named)
      .filter((text) => text !== '')
      .join(field.startsWith('category') ? ' > ' : '\n')
  }

  list(field: string): string[] {
    const value = this.#at(field)
    if (Array.isArray(value)) return value.map(named).filter((text) => text !== '')
    return splitList(scalar(value))
  }

  fields(prefix: string): string[] {
    return fieldsOf(this.#columns, prefix)
  }

  column(field: string): string {
    return this.#columns.get(field) ?? field
  }

  #at(field: string): unknown {
    const path = this.#columns.get(field)
    if (path === undefined || !isObject(this.#value)) return undefined
    if (Object.hasOwn(this.#value, path)) return this.#value[path]
    return path
      .split('.')
      .reduce<unknown>(
        (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
        this.#value,
      )
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const scalar = (value: unknown): string =>
  typeof value === 'string'
    ? value.trim()
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : ''

/** A list's entry may be an object that has an address or a name. */
const named = (value: unknown): string =>
  scalar(isObject(value) ? (value.url ?? value.src ?? value.name ?? value.title) : value)
