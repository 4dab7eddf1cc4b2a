/** A file as a table of rows, whatever its format. */
import { openCsv } from './csv-rows.ts'
import { openJson } from './json-rows.ts'
import type { Table } from './rows.ts'
import type { Format, TextFile } from './text-file.ts'

/** `read` hears of the bytes taken in. */
export const openTable = (file: TextFile, format: Format, read: (bytes: number) => void): Promise<Table> =>
  format === 'csv' ? openCsv(file, read) : openJson(file, format, read)
