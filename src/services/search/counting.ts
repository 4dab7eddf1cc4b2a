/** How many products match and what they have in common: counted up to a limit, told from some of them beyond it. */
import type { Sql } from '../../engine/database.ts'
import { Conditions, type Field, without } from './conditions.ts'
import { type Counts, lineOf, tally } from './facets.ts'
import { prepared } from './prepared.ts'
import type { SearchQuery } from './query.ts'
import type { Wording } from './question.ts'

/** Counting 10,000 rows took 30 ms of a core: at 200 questions a second that is more than there are. */
const countedMax = 1_000
/** Of what is more for certain, so many stand for all. */
const standingMax = 500
/** One product in so many stands in the index of the sample. */
const sampledOf = 8
/** More than so many in the sample are more than 1,000 in all, by twelve standard deviations. */
const broadFrom = 250
/** Expected so many, there are more than 1,000 in all. */
const surelyMany = 4 * countedMax

/** What was read: nothing but the sample where that speaks for all. */
interface Read {
  sampled: number
  hits: number
  lines: string | null
}

/** Products among which is counted. */
interface Asked {
  query: SearchQuery
  wording: Wording | undefined
}

interface Counted<Row> {
  row: Row
  /** There are more than were counted. */
  broad: boolean
  counts: Counts
}

/** Counts these fields' values. `more` adds columns to what is read of a product, and to the answer what is made of all these `hits`. */
export async function counted<Row extends object = object>(
  db: Sql,
  asked: Asked,
  chosen: readonly Field[],
  more: (conditions: Conditions) => { columns: string; made: string } = () => ({ columns: '', made: '' }),
): Promise<Counted<Row>> {
  const conditions = new Conditions().asked(asked.query, asked.wording)
  const { worded } = conditions
  const expected = worded ? undefined : await estimated(db, asked)
  const hitsMax = (expected ?? 0) > surelyMany ? standingMax : countedMax
  const text = statement(conditions, chosen, hitsMax, more(conditions))
  // What the index of words finds is always found in the same way, and planned once; for what has no words it depends on the values.
  const [row] = await (worded
    ? prepared<Row & Read>(db, text, conditions.values)
    : db.text<Row & Read>(text, conditions.values))
  if (row === undefined) throw new Error('a count has one row')
  const { sampled, hits, lines } = row
  const broad = sampled > broadFrom || hits > hitsMax
  if (!broad) return { row, broad, counts: { total: hits, exact: true, facets: tally(lines, chosen, 1) } }
  const standing = sampled > broadFrom ? sampled : hits
  const total = worded && sampled <= standingMax ? sampled * sampledOf : (expected ?? (await estimated(db, asked)))
  const facets = tally(lines, chosen, Math.max(total, standing) / standing)
  return { row, broad, counts: { total: Math.max(total, standing), exact: false, facets } }
}

/**
 * Of a word that 3,000 of 100,000 products have, 390 are in the sample and cost 0.5 ms of a core; the first 1,001 of all cost 2.2: a page of the
 * table each, and all 3,000 in a bitmap. The limits are bound: of one that it does not know Postgres expects little, and keeps the plan it has
 * (with 1001 in the text it planned each time again, 0.5 ms).
 */
function statement(
  conditions: Conditions,
  chosen: readonly Field[],
  hitsMax: number,
  { columns, made }: { columns: string; made: string },
): string {
  const inSample = conditions.worded ? `hashtext(product_id) & ${sampledOf - 1} = 0` : 'false'
  return `
    with sample as materialized (
           select ${lineOf(chosen)} as line
             from search.products
            where ${inSample} and ${conditions.sql}
            limit ${conditions.bind(standingMax + 1)}),
         hits as materialized (
           select ${lineOf(chosen)} as line${columns}
             from search.products
            where (select count(*) from sample) <= ${broadFrom} and ${conditions.sql}
            limit ${conditions.bind(hitsMax + 1)})
    select (select count(*) from sample) as sampled, (select count(*) from hits) as hits,
           (select string_agg(line, chr(30))
              from (select line from hits
                     union all
                    select line from sample where (select count(*) from sample) > ${broadFrom}) l) as lines${made}`
}

/** One field that is filtered by, counted as if it were not. */
export async function countsOfField(db: Sql, { query, wording }: Asked, field: Field): Promise<Counts> {
  const { counts } = await counted(db, { query: without(query, field), wording }, [field])
  return counts
}

/** As many rows as Postgres expects from what it knows of the words' and keys' frequencies. */
async function estimated(db: Sql, { query, wording }: Asked): Promise<number> {
  const { sql, values } = new Conditions().asked(query, wording)
  const [row] = await db.text(`explain (format json) select from search.products p where ${sql}`, values)
  const [{ Plan }] = JSON.parse(row['QUERY PLAN'])
  return Plan['Plan Rows']
}
