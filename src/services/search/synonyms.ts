/** Words that shoppers and vendors use for the same thing: managed as one list, looked up by what is asked. */
import { z } from 'zod'
import { texts } from '../../engine/columns.ts'
import type { Database, Sql } from '../../engine/database.ts'
import { plainText } from '../../engine/text.ts'
import { everything, renewTags } from './generations.ts'
import { plainWords } from './words.ts'

/** Words that one phrase of a synonym may have. */
const wordsMax = 4

const phrase = plainText(100)
  .refine((text) => plainWords(text) !== '', 'must have a letter or digit')
  .refine((text) => plainWords(text).split(' ').length <= wordsMax, `must have at most ${wordsMax} words`)

const list = (min: number) =>
  z
    .array(phrase)
    .min(min, `must name at least ${min === 1 ? 'one' : 'two'}`)
    .max(50, 'must name at most 50')

export const synonym = z.union([z.strictObject({ words: list(2) }), z.strictObject({ from: list(1), to: list(1) })], {
  error: 'must be { words } that mean each other, or { from, to }',
})
export type Synonym = z.infer<typeof synonym>

export const synonyms = z.strictObject({
  synonyms: z.array(synonym, { error: 'must be a list' }).max(2_000, 'must be at most 2000'),
})

export async function readSynonyms(db: Sql): Promise<Synonym[]> {
  const rows = await db<{ words: string[]; means: string[] | null }>`
    select words, means from search.synonyms order by position`
  return rows.map(({ words, means }) => (means === null ? { words } : { from: words, to: means }))
}

/** The whole list at once; from the commit on no cached answer of before is given. */
export async function writeSynonyms(db: Database, given: Synonym[]): Promise<void> {
  const rows = given.map((each) =>
    'words' in each ? { words: each.words, means: null } : { words: each.from, means: each.to },
  )
  const found = [...lookup(given)]
  await db.begin(async (tx) => {
    await Promise.all([
      tx`select pg_advisory_xact_lock(hashtext('search.synonyms'))`,
      tx`delete from search.synonyms`,
      tx`delete from search.synonym_words`,
      rows.length > 0 &&
        tx`
          insert into search.synonyms (position, words, means)
          select n, array(select json_array_elements_text(row::json -> 'words')),
                 case when row::json -> 'means' ->> 0 is not null then array(select json_array_elements_text(row::json -> 'means')) end
            from unnest(string_to_array(${texts(rows.map((row) => JSON.stringify(row)))}, chr(30))) with ordinality as u (row, n)`,
      found.length > 0 &&
        tx`
          insert into search.synonym_words (phrase, means)
          select phrase, array(select json_array_elements_text(means::json))
            from unnest(string_to_array(${texts(found.map(([words]) => words))}, chr(30)),
                        string_to_array(${texts(found.map(([, means]) => JSON.stringify([...means])))}, chr(30))) as u (phrase, means)`,
      renewTags([everything], tx),
    ])
  })
}

/** What else each phrase stands for. */
function lookup(given: Synonym[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const stands = (one: string, other: string) => {
    if (one !== other) found.set(one, (found.get(one) ?? new Set()).add(other))
  }
  for (const each of given) {
    const [from, to] = 'words' in each ? [each.words, each.words] : [each.from, each.to]
    for (const one of from.map(plainWords)) for (const other of to.map(plainWords)) stands(one, other)
  }
  return found
}

export async function meaningsOf(db: Sql, phrases: string[]): Promise<Map<string, string[]>> {
  if (phrases.length === 0) return new Map()
  const rows = await db<{ phrase: string; means: string[] }>`
    select phrase, means from search.synonym_words where phrase = any(${phrases}::text[])`
  return new Map(rows.map((row) => [row.phrase, row.means]))
}
