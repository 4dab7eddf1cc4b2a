/** What somebody may be about to type: products whose title begins with it, then those that have it as the beginning of a word. */
import type { Sql } from '../../engine/database.ts'
import { highlighted } from './highlight.ts'
import { termsOf, tsquery } from './question.ts'
import { askedLexemes, plainWords } from './words.ts'

export interface Suggestion {
  productId: string
  title: string
  /** HTML: what was typed in <mark>, all else escaped. */
  highlight?: string
  available: boolean
}

export interface Suggestions {
  /** The last word as it may go on, after the words before it. */
  words: string[]
  products: Suggestion[]
}

/** Known words that one beginning may stand for. */
const wordsMax = 20

export async function suggest(db: Sql, q: string, limit: number): Promise<Suggestions> {
  const typed = plainWords(q)
  if (typed === '') return { words: [], products: [] }
  const last = typed.split(' ').at(-1) ?? ''
  const before = typed.slice(0, typed.length - last.length)
  const [begun, titles] = await Promise.all([wordsLike(db, last), titlesLike(db, typed, limit)])
  const ends = begun.includes(last) ? begun : [last, ...begun]
  const others =
    titles.length < limit
      ? await having(
          db,
          before,
          ends,
          titles.map((row) => row.product_id),
          limit - titles.length,
        )
      : []
  const sought = new Set([...before.split(' '), ...ends].filter((word) => word !== '').flatMap(askedLexemes))
  return {
    words: begun.slice(0, limit).map((word) => before + word),
    products: [...titles, ...others].map((row) => suggestion(row, sought)),
  }
}

interface Row {
  product_id: string
  title: string
  available: boolean
}

function suggestion({ product_id, title, available }: Row, sought: ReadonlySet<string>): Suggestion {
  const highlight = highlighted(title, sought)
  return { productId: product_id, title, ...(highlight !== undefined && { highlight }), available }
}

/** The shortest first: what is nearest to what was typed. Folded words have nothing that means something in a pattern. */
async function wordsLike(db: Sql, beginning: string): Promise<string[]> {
  const rows = await db<{ word: string }>`
    select word from (select word from search.vocabulary where word like ${`${beginning}%`} limit 500) w
     order by length(word), word limit ${wordsMax}`
  return rows.map((row) => row.word)
}

function titlesLike(db: Sql, typed: string, limit: number) {
  return db<Row>`
    select product_id, title, offered and in_stock as available
      from search.products
     where live and sort_title like ${`${typed}%`}
     order by sort_title, product_id
     limit ${limit}`
}

/** Of those with the words before and one of the last, in stock and with short titles first; among a thousand at most. */
function having(db: Sql, before: string, last: string[], except: string[], limit: number) {
  const terms = [...termsOf(before), { anyOf: last.map((word) => ({ words: [word], phrase: false })), not: false }]
  return db<Row>`
    select product_id, title, available
      from (select product_id, title, sort_title, offered and in_stock as available
              from search.products
             where live and words @@ ${tsquery({ terms, join: 'all' }) ?? ''}::tsquery and product_id <> all(${except}::text[])
             limit 1000) found
     order by available desc, length(sort_title), sort_title, product_id
     limit ${limit}`
}
