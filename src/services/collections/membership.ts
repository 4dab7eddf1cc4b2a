/** Which products the rules take, written as rows. */
import type { Sql } from '../../engine/database.ts'
import { type Facts, type Rule, satisfies } from './rule.ts'

/** A row of collections.products. */
export interface Kept {
  product_id: string
  live: boolean
  in_stock: boolean
  facts: string
}

export interface KeptProduct {
  id: string
  live: boolean
  facts: Facts
}

export interface RuleCollection {
  id: string
  rule: Rule
}

export function keptProduct(row: Kept): KeptProduct {
  const facts = JSON.parse(row.facts) as Facts
  return { id: row.product_id, live: row.live, facts: { ...facts, available: facts.available && row.in_stock } }
}

/**
 * The rules, unchanged until the transaction ends: whoever changes one (`changeRules`) waits, and then evaluates what this transaction
 * wrote. Otherwise a product and a rule that change together could miss each other.
 */
export async function holdRules(tx: Sql): Promise<RuleCollection[]> {
  const [, rules] = await Promise.all([
    tx`select pg_advisory_xact_lock_shared(hashtext('collections.rules'))`,
    tx<RuleCollection>`select id, rule from collections.collections where rule is not null`,
  ])
  return rules
}

export const changeRules = (tx: Sql) => tx`select pg_advisory_xact_lock(hashtext('collections.rules'))`

/** Makes the memberships of these products in these collections what the rules say. */
export async function evaluate(rules: RuleCollection[], products: KeptProduct[], tx: Sql): Promise<void> {
  const pairs = rules.flatMap(({ id, rule }) =>
    products
      .filter((product) => product.live && satisfies(product.facts, rule))
      .map((product) => [id, product.id] as const),
  )
  const collections = pairs.map(([id]) => id)
  const members = pairs.map(([, id]) => id)
  await Promise.all([
    tx`
      delete from collections.members m
       where m.product_id = any(${products.map((product) => product.id)}::text[])
         and m.collection_id = any(${rules.map((one) => one.id)}::text[])
         and (m.collection_id, m.product_id) not in (select * from unnest(${collections}::text[], ${members}::text[]))`,
    tx`
      insert into collections.members (collection_id, product_id)
      select * from unnest(${collections}::text[], ${members}::text[])
      on conflict do nothing`,
  ])
}

/** Evaluates a rule over all products, 5,000 at a time. 200,000 take some seconds, in the transaction of whoever changed the rule. */
export async function evaluateAll(collection: RuleCollection, tx: Sql): Promise<void> {
  await tx`delete from collections.members where collection_id = ${collection.id}`
  const limit = 5_000
  for (let after = ''; ; ) {
    const rows = await tx<Kept>`
      select product_id, live, in_stock, facts from collections.products
       where product_id > ${after} and live order by product_id limit ${limit}`
    await evaluate([collection], rows.map(keptProduct), tx)
    const last = rows.at(-1)
    if (rows.length < limit || !last) return
    after = last.product_id
  }
}
