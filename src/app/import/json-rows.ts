/** The objects of a JSON or NDJSON file as rows. */
import { arrayElements, type JsonRecord, jsonLines } from './json.ts'
import { fieldsOf, notUtf8, type Row, readable, splitList, type Table } from './rows.ts'
import { type Format, ImportRefused, type TextFile, textOf } from './text-file.ts'

/** Nothing but the first objects are read before `rows`. */
export async function openJson(file: TextFile, format: Format, read: (bytes: number) => void): Promise<Table> {
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

/** The fields of the objects in the file's first piece: not every one has all. */
async function firstFields(records: AsyncGenerator<JsonRecord[]>): Promise<string[]> {
  for await (const piece of readable(records)) {
    const fields = new Set(
      piece.flatMap((record) => ('value' in record && isObject(record.value) ? Object.keys(record.value) : [])),
    )
    if (fields.size > 0) return [...fields]
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

  list(field: string, separator?: RegExp): string[] {
    const value = this.#at(field)
    if (Array.isArray(value)) return value.map(named).filter((text) => text !== '')
    return splitList(scalar(value), separator)
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
