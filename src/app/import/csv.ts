/** The records of a CSV file with the line each begins on, in constant memory. */
import { parse } from 'csv-parse'

export interface CsvRecord {
  /** Line of its first character; the header counts, from 1. */
  line: number
  cells: string[]
}

/** From here on the file can't be read: a quote that never closes, a record beyond all measure. What came before is good. */
export class Unreadable extends Error {
  override name = 'Unreadable'
  readonly line: number
  constructor(line: number, reason: string) {
    super(reason)
    this.line = line
  }
}

// Longest description (50,000) and a few hundred image links fit in; a quote that swallows the rest of the file does not.
const recordMax = 1_000_000

/**
 * Reads records of any of the three line endings, mixed too; blank lines are passed over. Quotes inside an unquoted cell stand for
 * themselves (`12" pipe`). Throws `Unreadable` after the records before it were yielded.
 */
export async function* csvRecords(text: AsyncIterable<string>, delimiter: string): AsyncGenerator<CsvRecord[]> {
  let read: CsvRecord[] = []
  let line = 1
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: recordMax,
    // Counted here: the parser's own `lines` counts a CRLF inside quotes twice. Records are collected here too, because the stream
    // drops those it holds when a later one fails.
    on_record(cells: string[]) {
      if (cells.length > 1 || cells[0] !== '') read.push({ line, cells })
      line += 1
      for (const cell of cells) if (cell.includes('\n') || cell.includes('\r')) line += newlinesIn(cell)
      return null
    },
  })
  let failure: Error | undefined
  parser.on('error', (error) => {
    failure = error
  })
  parser.resume()
  const step = async (run: (done: (error?: Error | null) => void) => void) => {
    await new Promise<void>((resolve) => run(() => resolve()))
    const records = read
    read = []
    return records
  }
  for await (const piece of text) {
    if (piece === '') continue
    yield await step((done) => parser.write(piece, done))
    if (failure) throw unreadable(failure, line)
  }
  yield await step((done) => parser.end(done))
  if (failure) throw unreadable(failure, line)
}

const newlinesIn = (cell: string) => cell.match(/\r\n|\n|\r/g)?.length ?? 0

function unreadable(error: Error, line: number): Unreadable {
  const code = 'code' in error ? error.code : undefined
  if (code === 'CSV_QUOTE_NOT_CLOSED') return new Unreadable(line, 'a quote opens in this record and never closes')
  if (code === 'CSV_MAX_RECORD_SIZE') {
    return new Unreadable(line, `this record has more than ${recordMax} characters; probably a quote that never closes`)
  }
  return new Unreadable(line, error.message)
}

/** The delimiter of a file by its first line: of `,` `;` tab and `|` the one it has most of outside quotes. */
export function delimiterOf(head: string): string {
  const [firstLine = ''] = head.replaceAll(/"[^"]*"/g, '').split(/[\r\n]/, 1)
  const counted = [',', ';', '\t', '|'].map((mark) => ({ mark, count: firstLine.split(mark).length }))
  return counted.reduce((most, next) => (next.count > most.count ? next : most)).mark
}
