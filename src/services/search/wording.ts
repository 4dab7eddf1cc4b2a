/** How a question is meant: as it was asked, with its synonyms; where nothing has its words, as what is spelt alike; else what has some of them. */
import type { Sql } from '../../engine/database.ts'
import { type Alternative, anyOf, keyQuery, type Term, termsOf, tsquery, type Wording } from './question.ts'
import { correctable, nearest } from './spelling.ts'
import { meaningsOf } from './synonyms.ts'

/** Words of a question that are corrected. */
const correctedMax = 8

export async function askedWording(db: Sql, q: string): Promise<Wording> {
  return { terms: await meant(db, termsOf(q)), join: 'all', match: 'asked' }
}

/** Whether some product has the words is asked without any filter: a filter that hides it makes them no misspelling. */
export async function wordingOf(db: Sql, q: string, asked: Wording): Promise<Wording> {
  if (await isThere(db, asked, q)) return asked
  const corrected: Wording = { terms: await corrections(db, asked.terms), join: 'all', match: 'corrected' }
  if (await isThere(db, corrected)) return corrected
  return { ...corrected, join: 'some', match: 'some' }
}

async function isThere(db: Sql, wording: Wording, sku?: string): Promise<boolean> {
  const query = anyOf([tsquery(wording), sku === undefined ? undefined : keyQuery('sku', sku)])
  if (query === '()') return false
  const [row] = await db<{ yes: boolean }>`
    select exists (select from search.products where live and words @@ ${query}::tsquery) as yes`
  return row?.yes === true
}

/** Longest runs of words first: `mobile phone` before `phone`. */
async function meant(db: Sql, terms: Term[]): Promise<Term[]> {
  const meanings = await meaningsOf(db, runs(terms))
  if (meanings.size === 0) return terms
  const result: Term[] = []
  for (let n = 0; n < terms.length; ) {
    const length = runLengths.find((size) => meanings.has(phraseOf(terms, n, size) ?? ''))
    const phrase = length === undefined ? undefined : phraseOf(terms, n, length)
    if (length === undefined || phrase === undefined) {
      result.push(terms[n++] as Term)
      continue
    }
    const others: Alternative[] = (meanings.get(phrase) ?? []).map((means) => ({
      words: means.split(' '),
      phrase: true,
    }))
    result.push({ anyOf: [{ words: phrase.split(' '), phrase: false }, ...others], not: false })
    n += length
  }
  return result
}

const runLengths = [4, 3, 2, 1]

function runs(terms: Term[]): string[] {
  const phrases = terms.flatMap((_, n) => runLengths.map((length) => phraseOf(terms, n, length)))
  return [...new Set(phrases)].filter((phrase) => phrase !== undefined)
}

/** So many terms from there as one text, if all are wanted; a "phrase" stands for itself alone. */
function phraseOf(terms: Term[], from: number, length: number): string | undefined {
  const run = terms.slice(from, from + length)
  if (run.length < length || run.some((term) => term.not)) return undefined
  if (length > 1 && run.some((term) => (term.anyOf[0]?.words.length ?? 0) > 1)) return undefined
  return run.map((term) => term.anyOf[0]?.words.join(' ')).join(' ')
}

/** For each word the known words it may be, found by trigrams and chosen by edits; what has synonyms is no misspelling. */
function corrections(db: Sql, terms: Term[]): Promise<Term[]> {
  return Promise.all(
    terms.map(async (term, n) => {
      const word = term.anyOf[0]?.words[0]
      const alone = term.anyOf.length === 1 && term.anyOf[0]?.words.length === 1
      if (n >= correctedMax || term.not || !alone || word === undefined || !correctable(word)) return term
      const rows = await db<{ word: string }>`
        select word from search.vocabulary order by word <-> ${word} limit 50`
      const near = nearest(
        word,
        rows.map((row) => row.word),
      )
      return near.length === 0 ? term : { ...term, anyOf: near.map((known) => ({ words: [known], phrase: false })) }
    }),
  )
}
