/** What may come in from outside: identifiers, free text, quantities. Everything that reaches Postgres or a path went through here. */
import { z } from 'zod'

// No control, format, private or lone surrogate character, no separator but the plain space, nothing that means something in a path or a sync token.
const identifierPattern = /^(?! )(?!\.{1,2}$)(?:[^\p{C}\p{Z}/\\?#%@'"<>]| )+(?<! )$/u

/** An id given by somebody else: product, SKU, warehouse, order, vendor, category. Letters of any script, digits, spaces inside, `-_.:+()&,*` and the like. */
export const identifier = z
  .string({ error: 'must be text' })
  .min(1, { error: 'must not be empty', abort: true })
  .max(200, 'must have at most 200 characters')
  .regex(identifierPattern, {
    error: `must not contain control characters or any of / \\ ? # % @ ' " < >, nor begin or end with a space, nor be "." or ".."`,
    abort: true,
  })

/** Free text of at most `max` UTF-16 units that Postgres can hold: no NUL, no lone surrogate. */
export const plainText = (max: number) =>
  z
    .string({ error: 'must be text' })
    .max(max, `must have at most ${max} characters`)
    .refine(storable, 'must not contain NUL or broken Unicode (a lone surrogate)')

/** At least one. */
export const quantity = z
  .int({ error: 'must be a whole number' })
  .min(1, 'must be at least 1')
  .max(1_000_000_000, 'must be at most 1000000000')

/** A number of things on hand: none or more. */
export const count = z
  .int({ error: 'must be a whole number' })
  .min(0, 'must not be negative')
  .max(1_000_000_000, 'must be at most 1000000000')

/** Can Postgres keep this text: a `text` or `json` column refuses NUL (22021, 22P05) and has no lone surrogates. */
export function storable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
