/** The rows of a file, of any format, seen through its columns: what `products.ts` and `orders.ts` read from. */
import { Unreadable } from './csv.ts'
import type { JsonRecord } from './json.ts'
import { ImportRefused } from './text-file.ts'

/** One row through the map. */
export interface Row {
  line: number
  /** The cell's text, trimmed; '' when the column or the cell is not there. */
  text(field: string): string
  /** A list: a JSON array's entries, else the text split at the separator, commas unless given. */
  list(field: string, separator?: RegExp): string[]
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
  /** Names of the columns found: the header, or the fields of the first JSON objects. */
  found: string[]
  /** Rows in pieces, through these columns (field → name). Throws `Unreadable` after the rows before it. */
  rows(columns: Map<string, string>): AsyncGenerator<Row[]>
  /** Elements as they are; JSON only. */
  values?(): AsyncGenerator<JsonRecord[]>
}

/** The head of a file: when not even that can be read, nothing was taken. */
export async function* readable<Piece>(pieces: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  try {
    yield* pieces
  } catch (error) {
    throw error instanceof Unreadable ? new ImportRefused(`line ${error.line}: ${error.message}`) : error
  }
}

export const fieldsOf = (columns: Map<string, unknown>, prefix: string) =>
  [...columns.keys()].filter((field) => field.startsWith(prefix))

export const notUtf8 = 'has bytes that are not UTF-8: letters were lost; save the file as UTF-8 again'

export const splitList = (text: string, separator: RegExp = /,/) =>
  text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')
