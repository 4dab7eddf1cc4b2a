/**
 * Columns of a batch on their way into one statement: texts as one string for `string_to_array(…, chr(30))`, numbers as an array literal.
 * The driver would quote and escape each element of a JS array, and Postgres undo it: twice the time for JSON, more for short texts.
 */
const SEPARATOR = '\x1e'

/**
 * JSON text never contains a raw control character. Other texts must not either: throws a RangeError rather than shift the column's rows.
 * A column of one empty text would be an empty array; pass texts that are never empty, or say with `string_to_array`'s third argument what is null.
 */
export function texts(column: readonly string[]): string {
  const joined = column.join(SEPARATOR)
  let separators = 0
  for (let at = joined.indexOf(SEPARATOR); at >= 0; at = joined.indexOf(SEPARATOR, at + 1)) separators++
  if (separators !== Math.max(0, column.length - 1))
    throw new RangeError('a control character (U+001E) in a key, an id or an entity')
  return joined
}

export const numbers = (column: readonly number[]): string => `{${column.join(',')}}`
