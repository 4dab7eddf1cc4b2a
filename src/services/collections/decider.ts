/** The rules of collections' definitions. What a rule takes is derived from them, by the projection and the evaluator. */
import { isDeepStrictEqual } from 'node:util'
import { type Decider, type Decision, type EntityId, Rejected, type Versioned } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import { invalidRequest, notFound } from '../../engine/http.ts'
import type { sorts } from './events.ts'
import type { Rule } from './rule.ts'

export const collectionEntity = (id: string) => `collection/${id}`
/** Products somebody may pick or pin. */
export const mostPicks = 10_000

export type Sort = (typeof sorts)[number]

/** A rule makes it a rule collection, whose `productIds` are pinned to its top; null one picked by hand. */
export interface Definition {
  id: string
  title: string
  description: string
  rule: Rule | null
  sort: Sort
  productIds: string[]
}
export type CollectionFields = Partial<Omit<Definition, 'id' | 'rule'> & { rule: Rule }>

/** All answer `{ id, version }`; a change that changes nothing answers the version as it was. */
export type CollectionCommand =
  | { type: 'create'; id: string; fields: CollectionFields & { title: string } }
  | { type: 'change'; id: string; fields: CollectionFields }
  /** Picks or pins a product, or moves it, to a place counted from 0; at the end without one. */
  | { type: 'place'; id: string; productId: string; place?: number | undefined }
  | { type: 'unplace'; id: string; productId: string }
  | { type: 'delete'; id: string }

export interface CollectionState extends Definition {
  createdAt: string
  updatedAt: string
  deleted: boolean
}

export type CollectionFact =
  | { type: 'collection.created'; entity: EntityId; state: CollectionState }
  | { type: 'collection.updated'; entity: EntityId; state: CollectionState; changes: FieldChange[] }
  | { type: 'collection.deleted'; entity: EntityId; state: CollectionState }

type States = ReadonlyMap<EntityId, Versioned<CollectionState>>

export const collectionDecider: Decider<CollectionState, CollectionCommand, CollectionFact> = {
  touches: ({ id }) => [collectionEntity(id)],
  creates: (command) => (command.type === 'create' ? [collectionEntity(command.id)] : []),

  decide(states, command, now): Decision<CollectionFact> {
    const entity = collectionEntity(command.id)
    const at = now.toISOString()
    const answer = (events: number) => ({ id: command.id, version: (states.get(entity)?.version ?? 0) + events })
    if (command.type === 'create') {
      if (existing(states, command.id)) throw alreadyExists(command.id)
      const { title, description = '', rule = null, sort = 'manual', productIds = [] } = command.fields
      const definition = { id: command.id, title, description, rule, sort, productIds }
      const state = { ...definition, createdAt: at, updatedAt: at, deleted: false }
      return { facts: [{ type: 'collection.created', entity, state }], answer: answer(1) }
    }
    const before = existing(states, command.id)
    if (!before) throw notFound('collection', command.id)
    if (command.type === 'delete') {
      const state = { ...before, updatedAt: at, deleted: true }
      return { facts: [{ type: 'collection.deleted', entity, state }], answer: answer(1) }
    }
    const after = { ...before, ...changed(before, command) }
    const changes = changesBetween(before, after)
    if (changes.length === 0) return { facts: [], answer: answer(0) }
    const state = { ...after, updatedAt: at }
    return { facts: [{ type: 'collection.updated', entity, state, changes }], answer: answer(1) }
  },

  evolve: (_state, fact) => fact.state,

  tell(fact) {
    const { deleted, ...definition } = fact.state
    const collection = { ...definition, kind: definition.rule === null ? 'manual' : 'rule' }
    const data = fact.type === 'collection.updated' ? { collection, changes: fact.changes } : { collection }
    return { key: fact.entity, data }
  },
}

function existing(states: States, id: string): CollectionState | undefined {
  const state = states.get(collectionEntity(id))?.state
  return state?.deleted ? undefined : state
}

function changed(before: CollectionState, command: Exclude<CollectionCommand, { type: 'create' | 'delete' }>) {
  switch (command.type) {
    case 'change':
      if (command.fields.rule && before.rule === null)
        throw otherwise('rule', 'a collection picked by hand has no rule; make a rule collection')
      return command.fields
    case 'place':
      return { productIds: placed(before.productIds, command.productId, command.place) }
    case 'unplace':
      if (!before.productIds.includes(command.productId)) throw notFound('picked product', command.productId)
      return { productIds: before.productIds.filter((id) => id !== command.productId) }
  }
}

function placed(ids: string[], productId: string, place = ids.length): string[] {
  const others = ids.filter((id) => id !== productId)
  if (others.length >= mostPicks) throw otherwise('productId', `would be one too many: at most ${mostPicks} are picked`)
  return others.toSpliced(place, 0, productId)
}

const fields = ['title', 'description', 'rule', 'sort', 'productIds'] as const

const changesBetween = (before: CollectionState, after: CollectionState): FieldChange[] =>
  fields
    .filter((field) => !isDeepStrictEqual(before[field], after[field]))
    .map((field) => ({ field, oldValue: before[field], newValue: after[field] }))

const alreadyExists = (id: string) =>
  new Rejected('already-exists', { what: 'collection', id }, `there is a collection ${JSON.stringify(id)} already`)
const otherwise = (field: string, message: string) => invalidRequest({ in: 'body', field, message })
