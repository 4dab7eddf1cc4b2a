/** Who is on which list: only those who agreed to its purpose, and of these the ones its rule takes. */
import { numbers } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Preferences } from '../customers/events.ts'
import { type Facts, type Judged, judge, type Rule } from './rule.ts'

export interface Asked {
  id: string
  purpose: string
  rule: Rule | null
}

export interface Known {
  id: string
  active: boolean
  facts: Facts
}

export interface Standing {
  member: boolean
  /** Why: each of these must hold. */
  because: { active: boolean; consent: boolean; byEmail: boolean; rule: Judged | null }
  turnsAt: number
}

/** Nobody is on a list without having agreed to its purpose, whatever the rule says; nor who wants no e-mail about it. */
export function standingOf({ purpose, rule }: Asked, { active, facts }: Known, now: number): Standing {
  const consent = mayBeAsked(facts, purpose)
  const byEmail = wantsEmail(facts, purpose)
  const { judged, turnsAt } = rule ? judge(rule, facts, now) : { judged: null, turnsAt: Number.POSITIVE_INFINITY }
  return {
    member: active && consent && byEmail && judged?.holds !== false,
    because: { active, consent, byEmail, rule: judged },
    turnsAt,
  }
}

export const mayBeAsked = ({ consents }: Pick<Facts, 'consents'>, purpose: string) =>
  Object.hasOwn(consents, purpose) && consents[purpose] === true
/** The channels of a topic that were never chosen are all of them. */
export const wantsEmail = ({ channels }: Pick<Facts, 'channels'>, topic: string) =>
  !Object.hasOwn(channels, topic) || channels[topic]?.includes('email') === true

/** What of a customer's preferences lists ask about. */
export const chosenIn = ({
  consents,
  channels,
  locale,
}: Preferences): Pick<Facts, 'consents' | 'channels' | 'locale'> => ({
  consents: Object.fromEntries(Object.entries(consents).map(([purpose, { granted }]) => [purpose, granted])),
  channels,
  locale,
})

/**
 * Whoever changes who is on which list does so alone until the transaction ends: else a customer, an order and a list that change together could
 * miss each other. Answers the database's time, in milliseconds since 1970.
 */
export async function alone(tx: Sql): Promise<number> {
  await tx`select pg_advisory_xact_lock(hashtext('marketing.members'))`
  const [row] = await tx<{ now: number }>`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`
  return row?.now ?? Date.now()
}

export const askedLists = (tx: Sql) => tx<Asked>`select id, purpose, rule from marketing.lists`

/** Customers with what is known of them, as of now. */
export async function knownCustomers(tx: Sql, customerIds: readonly string[]): Promise<Known[]> {
  const rows = await tx<{
    id: string
    active: boolean
    preferences: string
    created: number
    orders: number
    last: number | null
    spent: string | null
  }>`
    select c.customer_id as id, c.active, c.preferences, (extract(epoch from c.created_at) * 1000)::float8 as created,
           coalesce(o.orders, 0)::int as orders, o.last, s.spent
      from marketing.customers c
      left join lateral (
             select count(*) as orders, (extract(epoch from max(placed_at)) * 1000)::float8 as last
               from marketing.orders where customer_id = c.customer_id and counts) o on true
      left join lateral (
             select json_object_agg(currency, amount) as spent
               from (select t.key as currency, sum(t.value::numeric) as amount
                       from marketing.orders, json_each_text(spent) t
                      where customer_id = c.customer_id and counts
                      group by t.key) per) s on true
     where c.customer_id = any(${customerIds}::text[])`
  return rows.map(({ id, active, preferences, orders, last, created, spent }) => ({
    id,
    active,
    facts: {
      ...chosenIn(JSON.parse(preferences)),
      orders,
      lastOrder: last,
      created,
      spent: spent === null ? {} : JSON.parse(spent),
    },
  }))
}

/** Makes the memberships of these customers in these lists what the rules say. */
export async function evaluate(lists: Asked[], customers: Known[], now: number, tx: Sql): Promise<void> {
  if (lists.length === 0 || customers.length === 0) return
  const members: [string, string][] = []
  const turns: [string, string, number][] = []
  for (const list of lists) {
    for (const customer of customers) {
      const { member, because, turnsAt } = standingOf(list, customer, now)
      if (member) members.push([list.id, customer.id])
      if (because.active && turnsAt < Number.POSITIVE_INFINITY) turns.push([list.id, customer.id, Math.ceil(turnsAt)])
    }
  }
  const listIds = lists.map(({ id }) => id)
  const customerIds = customers.map(({ id }) => id)
  await Promise.all([
    tx`
      delete from marketing.members m
       where m.customer_id = any(${customerIds}::text[]) and m.list_id = any(${listIds}::text[])
         and (m.list_id, m.customer_id) not in (
               select * from unnest(${members.map(([list]) => list)}::text[], ${members.map(([, id]) => id)}::text[]))`,
    tx`
      insert into marketing.members (list_id, customer_id)
      select * from unnest(${members.map(([list]) => list)}::text[], ${members.map(([, id]) => id)}::text[])
      on conflict do nothing`,
    tx`
      delete from marketing.turns t
       where t.customer_id = any(${customerIds}::text[]) and t.list_id = any(${listIds}::text[])`,
    tx`
      insert into marketing.turns (list_id, customer_id, at)
      select list_id, customer_id, to_timestamp(at / 1000.0)
        from unnest(${turns.map(([list]) => list)}::text[], ${turns.map(([, id]) => id)}::text[],
                    ${numbers(turns.map(([, , at]) => at))}::bigint[]) as u (list_id, customer_id, at)`,
  ])
}

/** Customers looked at in one go. */
const page = 2_000

/**
 * Asks a new or changed list's question of the customers behind an id, for about so long; answers how far it came, null when there is none left.
 * Those before it stand as the list was; those who change meanwhile are asked by their events.
 */
export async function evaluateFrom(
  list: Asked,
  from: string,
  now: number,
  tx: Sql,
  forMs: number,
): Promise<string | null> {
  const until = performance.now() + forMs
  for (let after = from; ; ) {
    const rows = await tx<{ id: string }>`
      select customer_id as id from marketing.customers where customer_id > ${after} order by customer_id limit ${page}`
    const ids = rows.map(({ id }) => id)
    await evaluate([list], await knownCustomers(tx, ids), now, tx)
    const last = ids.at(-1)
    if (ids.length < page || last === undefined) return null
    if (performance.now() > until) return last
    after = last
  }
}
