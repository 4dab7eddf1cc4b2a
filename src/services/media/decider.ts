/** The rule of media: what a product's media have become is told once, and never by who has seen less. */
import { isDeepStrictEqual } from 'node:util'
import type { Decider, EntityId, Versioned } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import type { MediaData, ProductMedia } from './events.ts'

export const mediaEntity = (productId: string) => `media/${productId}`

/** What a product's media are, as seen under a stamp. An older stamp than known changes nothing. */
export interface MediaCommand {
  type: 'tell'
  productId: string
  stamp: number
  media: ProductMedia[]
}

export interface MediaState {
  productId: string
  stamp: number
  media: ProductMedia[]
}

export type MediaFact =
  | { type: 'media.updated'; entity: EntityId; state: MediaState; changes: FieldChange[] }
  /** No event: the same, seen later. */
  | { type: 'media.seen'; entity: EntityId; state: MediaState }

export const mediaDecider: Decider<MediaState, MediaCommand, MediaFact> = {
  touches: ({ productId }) => [mediaEntity(productId)],

  decide(states: ReadonlyMap<EntityId, Versioned<MediaState>>, { productId, stamp, media }) {
    const entity = mediaEntity(productId)
    const known = states.get(entity)?.state
    if (known ? known.stamp >= stamp : media.length === 0) return { facts: [] }
    const state: MediaState = { productId, stamp, media }
    if (known && isDeepStrictEqual(known.media, media)) return { facts: [{ type: 'media.seen', entity, state }] }
    return { facts: [{ type: 'media.updated', entity, state, changes: changesBetween(known?.media ?? [], media) }] }
  },

  evolve: (_state, fact) => fact.state,

  tell(fact, state) {
    if (fact.type === 'media.seen') return undefined
    const { productId, media } = state as MediaState
    return { key: productId, data: { productId, media, changes: fact.changes } satisfies MediaData }
  },
}

function changesBetween(before: ProductMedia[], after: ProductMedia[]): FieldChange[] {
  const changes: FieldChange[] = []
  const [old, now] = [sourcesOf(before), sourcesOf(after)]
  if (!isDeepStrictEqual(old, now)) changes.push({ field: 'media', oldValue: old, newValue: now })
  for (const source of new Set([...old, ...now])) {
    const [was, is] = [contentOf(before, source), contentOf(after, source)]
    if (was !== is) changes.push({ field: `media.${source}`, oldValue: was, newValue: is })
  }
  return changes
}

const sourcesOf = (media: ProductMedia[]) => media.map(({ source }) => source)
const contentOf = (media: ProductMedia[], source: string) =>
  media.find((each) => each.source === source)?.asset?.hash ?? null
