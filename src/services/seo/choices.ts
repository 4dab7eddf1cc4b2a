/** What people choose for a product's addresses: a source with the smallest of deciders. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Decider, EntityId, Source, Store, Versioned } from '../../engine/decider.ts'
import { invalidRequest } from '../../engine/http.ts'
import type { SeoData } from './events.ts'

export const seoEntity = (productId: string) => `seo/${productId}`

export interface Choice {
  slug: string | null
  redirectTo: string | null
}

/** Null takes a choice back. Answers `{ version }`; the version as it was if nothing changed. */
export type SeoCommand = { type: 'choose'; productId: string; choice: Partial<Choice> }

export interface SeoFact {
  type: 'seo.updated'
  entity: EntityId
  data: SeoData
}

const unchosen: Choice = { slug: null, redirectTo: null }

export const seoDecider: Decider<Choice, SeoCommand, SeoFact> = {
  touches: ({ productId }) => [seoEntity(productId)],
  creates: ({ productId }) => [seoEntity(productId)],

  decide(states, { productId, choice }) {
    const entity = seoEntity(productId)
    const { version, state: before = unchosen } = states.get(entity) ?? { version: 0, state: undefined }
    const after = { ...before, ...choice }
    if (after.redirectTo === productId) {
      const message = 'must be another product: an address can not lead to itself'
      return { rejected: invalidRequest({ in: 'body', field: 'redirectTo', message }) }
    }
    const changes = (['slug', 'redirectTo'] as const)
      .filter((field) => before[field] !== after[field])
      .map((field) => ({ field, oldValue: before[field], newValue: after[field] }))
    if (changes.length === 0) return { facts: [], answer: { version } }
    const data = { productId, ...after, changes }
    return { facts: [{ type: 'seo.updated', entity, data }], answer: { version: version + 1 } }
  },

  evolve: (_state, { data: { slug, redirectTo } }) => ({ slug, redirectTo }),
  tell: ({ data }) => ({ key: data.productId, data }),
}

type Row = { product_id: string; version: number; slug: string | null; redirect_to: string | null }
const prefix = seoEntity('')

const seoStore: Store<Choice, SeoFact> = {
  async load(tx, ids, { skipLocked }) {
    const asked = texts(ids.map((id) => id.slice(prefix.length)))
    const [rows, there] = await Promise.all([
      tx.text<Row>(
        `select product_id, version, slug, redirect_to from seo.choices
          where product_id = any(string_to_array($1, chr(30))) order by product_id for update ${skipLocked ? 'skip locked' : ''}`,
        [asked],
      ),
      skipLocked
        ? tx<{ id: string }>`
            select product_id as id from seo.choices where product_id = any(string_to_array(${asked}, chr(30)))`
        : [],
    ])
    const states = new Map<EntityId, Versioned<Choice>>()
    for (const { product_id, version, slug, redirect_to: redirectTo } of rows)
      states.set(seoEntity(product_id), { version, state: { slug, redirectTo } })
    const blocked = there.map(({ id }) => seoEntity(id)).filter((entity) => !states.has(entity))
    return { states, blocked }
  },

  /** What is new is inserted plainly: two that did not see each other must not become one row with two first versions. */
  save(tx, { states, facts }) {
    const born = new Set(facts.filter(({ version }) => version === 1).map(({ fact }) => fact.entity))
    const rows = [...states].map(([entity, { version, state }]) => ({ entity, version, ...(state as Choice) }))
    const columnsOf = (of: typeof rows) =>
      [
        texts(of.map(({ entity }) => entity.slice(prefix.length))),
        numbers(of.map(({ version }) => version)),
        of.map(({ slug }) => slug),
        of.map(({ redirectTo }) => redirectTo),
      ] as const
    const fresh = columnsOf(rows.filter(({ entity }) => born.has(entity)))
    const known = columnsOf(rows.filter(({ entity }) => !born.has(entity)))
    return Promise.all([
      fresh[0] !== '' &&
        tx`
        insert into seo.choices (product_id, version, slug, redirect_to)
        select * from unnest(string_to_array(${fresh[0]}, chr(30)), ${fresh[1]}::bigint[], ${fresh[2]}::text[], ${fresh[3]}::text[])`,
      known[0] !== '' &&
        tx`
        update seo.choices c set version = u.version, slug = u.slug, redirect_to = u.redirect_to
          from unnest(string_to_array(${known[0]}, chr(30)), ${known[1]}::bigint[], ${known[2]}::text[], ${known[3]}::text[])
               as u (product_id, version, slug, redirect_to)
         where c.product_id = u.product_id`,
    ])
  },
}

export const seoSource: Source<Choice, SeoCommand, SeoFact> = { name: 'seo', decider: seoDecider, store: seoStore }
