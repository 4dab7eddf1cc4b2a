/** The elements of a JSON array or the lines of NDJSON with the line each begins on, in constant memory. */
import { Unreadable } from './csv.ts'

export type JsonRecord = { line: number; value: unknown } | { line: number; refused: string }

// One product with 1,000 variants and a 50,000-character description is well below.
const recordMax = 4_000_000

/**
 * Yields the elements of the file's array; of `{"products": […], "total": 9}` those of the first list. Only finds where elements end;
 * each is parsed by itself, so a broken one is refused alone. Throws `Unreadable` when the list never ends.
 */
export async function* arrayElements(text: AsyncIterable<string>): AsyncGenerator<JsonRecord[]> {
  let line = 1
  let depth = 0
  /** The depth of the list's elements; 0 before the list began, -1 after it ended. */
  let listDepth = 0
  let quoted = false
  let escaped = false
  let begunOn = 0
  let pending = ''
  for await (const piece of text) {
    const read: JsonRecord[] = []
    let from = 0
    const finish = (end: number, last: boolean) => {
      const element = pending + piece.slice(from, end)
      pending = ''
      if (!last || element.trim() !== '') read.push(parsed(element, begunOn || line))
      from = end + 1
      begunOn = 0
    }
    for (let at = 0; at < piece.length && listDepth >= 0; at++) {
      const code = piece.charCodeAt(at)
      if (code === newline) line++
      if (quoted) {
        if (escaped) escaped = false
        else if (code === backslash) escaped = true
        else if (code === quote) quoted = false
        continue
      }
      if (code <= 32) continue
      if (code === quote) quoted = true
      else if (code === openList && listDepth === 0 && depth <= 1) {
        depth++
        listDepth = depth
        from = at + 1
        continue
      } else if (code === openList || code === openObject) depth++
      else if (code === closeList || code === closeObject) {
        depth--
        if (listDepth > 0 && depth < listDepth) {
          finish(at, true)
          listDepth = -1
          continue
        }
      } else if (code === comma && listDepth > 0 && depth === listDepth) {
        finish(at, false)
        continue
      }
      if (begunOn === 0) begunOn = line
      if (listDepth === 0) begunOn = 0
    }
    if (listDepth > 0) pending += piece.slice(from)
    yield read
    if (pending.length > recordMax)
      throw new Unreadable(begunOn || line, `this element has more than ${recordMax} characters`)
  }
  if (listDepth === 0) throw new Unreadable(1, 'there is no list in this file')
  if (listDepth > 0) throw new Unreadable(begunOn || line, 'the file ends inside its list')
}

const [newline, quote, comma, openList, backslash, closeList, openObject, closeObject] = [
  10, 34, 44, 91, 92, 93, 123, 125,
]

/** Yields one record a line; blank lines are passed over. */
export async function* jsonLines(text: AsyncIterable<string>): AsyncGenerator<JsonRecord[]> {
  let line = 0
  let pending = ''
  for await (const piece of text) {
    const lines = (pending + piece).split('\n')
    pending = lines.pop() ?? ''
    yield lines.flatMap((one) => {
      line++
      return one.trim() === '' ? [] : [parsed(one, line)]
    })
    if (pending.length > recordMax) throw new Unreadable(line + 1, `this line has more than ${recordMax} characters`)
  }
  if (pending.trim() !== '') yield [parsed(pending, line + 1)]
}

function parsed(text: string, line: number): JsonRecord {
  try {
    return { line, value: JSON.parse(text) }
  } catch (error) {
    return { line, refused: `no JSON: ${(error as Error).message.slice(0, 200)}` }
  }
}
