/** The rules of pricing: what a command makes of a product's prices, and of the rulebook that makes them. */
import { isDeepStrictEqual } from 'node:util'
import type { Decider, Decision, EntityId, Versioned } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import type { PriceData, PromotionNamed } from './events.ts'
import { type PricedProduct, type Prices, pricesOf } from './price.ts'
import type { Promotion, Rule, Rulebook, RulePatch, Scope } from './rule.ts'
import * as rulebook from './rulebook.ts'

export const priceEntity = (productId: string) => `price/${productId}`
export const promotionEntity = (id: string) => `promotion/${id}`
/** The one rulebook, to change it, and to price by it: the first is held alone, the second shared. */
export const RULEBOOK = 'rulebook'
export const RULES = 'rules'

export type PricingCommand =
  /** What the catalog says of a product. An older version than known changes nothing. Answers `{ problems }`. */
  | { type: 'follow'; product: PricedProduct }
  /** The price by the rules of now. Answers `{ problems }`. */
  | { type: 'reprice'; productId: string; cause?: Cause | undefined }
  | { type: 'create-rule'; rule: Rule }
  /** `expected`: the version that the caller saw; another one is refused with `version-mismatch`. */
  | { type: 'change-rule'; id: string; patch: RulePatch; expected?: number | undefined }
  | { type: 'remove-rule'; id: string; expected?: number | undefined }
  /** Said again as it stands it is the same one, and answers `created: false`; an id that has ended is not used again. */
  | { type: 'create-promotion'; promotion: Omit<Promotion, 'begun'> }
  /** Its time has come: products are to be priced anew. */
  | { type: 'begin-promotion'; id: string }
  /** By time or by hand; ended before, it changes nothing and answers no version. */
  | { type: 'end-promotion'; id: string; expected?: number | undefined }

/** What made a price change, when it was a promotion. */
export interface Cause {
  type: 'price.promotion.applied' | 'price.promotion.ended'
  promotion: PromotionNamed
}

export type PricingFact =
  | { type: 'price.updated'; entity: EntityId; state: PriceState; changes: FieldChange[] }
  | (Cause & { entity: EntityId; state: PriceState; changes: FieldChange[] })
  /** No events. The product changed in what only scopes look at. */
  | { type: 'product.noted'; entity: EntityId; state: PriceState }
  /** The rulebook after a change; `reprice` is what is to be priced anew for it. */
  | { type: 'book.changed'; entity: EntityId; book: Rulebook; reprice?: Repricing }
  /** No event either: what becomes of it is told by prices. */
  | ({ type: 'promotion.written'; entity: EntityId } & Written)

/** Takes the place of what was left to do for the same subject. */
export interface Repricing {
  subject: string
  scopes: Scope[]
  cause?: Cause
}
/** A promotion and where it stands; those that ended are kept. */
export interface Written {
  promotion: Promotion
  status: 'scheduled' | 'running' | 'ended'
}

export interface PriceState extends Prices {
  product: PricedProduct
}
export type PricingState = PriceState | Rulebook | Written

type States = ReadonlyMap<EntityId, Versioned<PricingState>>

export const pricingDecider: Decider<PricingState, PricingCommand, PricingFact> = {
  touches(command) {
    switch (command.type) {
      case 'follow':
        return [priceEntity(command.product.productId), RULES]
      case 'reprice':
        return [priceEntity(command.productId), RULES]
      case 'create-promotion':
        return [RULEBOOK, promotionEntity(command.promotion.id)]
      case 'begin-promotion':
      case 'end-promotion':
        return [RULEBOOK, promotionEntity(command.id)]
      default:
        return [RULEBOOK]
    }
  },

  decide(states, command, now): Decision<PricingFact> {
    switch (command.type) {
      case 'follow':
        return follow(states, command.product, now)
      case 'reprice': {
        const known = priceState(states, command.productId)
        if (!known) return { facts: [], answer: { problems: [] } }
        return price(states, known.product, now, command.cause)
      }
      case 'create-rule':
        return rulebook.createRule(bookOf(states), command.rule)
      case 'change-rule':
        return rulebook.changeRule(bookOf(states), command)
      case 'remove-rule':
        return rulebook.removeRule(bookOf(states), command)
      case 'create-promotion':
        return rulebook.createPromotion(
          bookOf(states),
          promotionOf(states, command.promotion.id),
          command.promotion,
          now,
        )
      case 'begin-promotion':
        return rulebook.beginPromotion(bookOf(states), command.id)
      case 'end-promotion':
        return rulebook.endPromotion(bookOf(states), command, now)
    }
  },

  evolve(_state, fact) {
    if (fact.type === 'book.changed') return fact.book
    if (fact.type === 'promotion.written') return { promotion: fact.promotion, status: fact.status }
    return fact.state
  },

  tell(fact, state) {
    if (fact.type === 'book.changed' || fact.type === 'promotion.written' || fact.type === 'product.noted')
      return undefined
    const { product, prices, problems } = state as PriceState
    const data: PriceData = { productId: product.productId, prices, problems, changes: fact.changes }
    return {
      key: product.productId,
      data: fact.type === 'price.updated' ? data : { promotion: fact.promotion, ...data },
    }
  },
}

const priceState = (states: States, productId: string) =>
  states.get(priceEntity(productId))?.state as PriceState | undefined

const promotionOf = (states: States, id: string) => states.get(promotionEntity(id))?.state as Written | undefined

/** In a batch that changes it, the rulebook as the commands before left it. */
const bookOf = (states: States) => (states.get(RULEBOOK) ?? states.get(RULES))?.state as Rulebook

function follow(states: States, product: PricedProduct, now: Date): Decision<PricingFact> {
  const known = priceState(states, product.productId)
  if (known && known.product.version > product.version) return { facts: [], answer: { problems: known.problems } }
  return price(states, product, now)
}

/** An event when prices or problems changed, or a product is new; otherwise at most a note. */
function price(states: States, product: PricedProduct, now: Date, cause?: Cause): Decision<PricingFact> {
  const { productId } = product
  const known = priceState(states, productId)
  const entity = priceEntity(productId)
  const found = pricesOf(product, bookOf(states), now)
  const state: PriceState = { product, ...found }
  const answer = { problems: found.problems }
  if (known && isDeepStrictEqual({ prices: known.prices, problems: known.problems }, found)) {
    return { facts: known.product === product ? [] : [{ type: 'product.noted', entity, state }], answer }
  }
  const changes = known ? changesBetween(known, found) : []
  const fact: PricingFact = cause
    ? { ...cause, entity, state, changes }
    : { type: 'price.updated', entity, state, changes }
  return { facts: [fact], answer }
}

const amounts = ['list', 'compareAt', 'effective', 'currency', 'applied'] as const

/** What changed, field by field: `prices.KIT-1.effective`. A price that came or went is one change from or to null. */
function changesBetween(before: Prices, after: Prices): FieldChange[] {
  const changes: FieldChange[] = []
  const compare = (field: string, oldValue: unknown, newValue: unknown) => {
    if (!isDeepStrictEqual(oldValue, newValue))
      changes.push({ field, oldValue: oldValue ?? null, newValue: newValue ?? null })
  }
  for (const sku of new Set([...Object.keys(before.prices), ...Object.keys(after.prices)])) {
    const [was, is] = [priceIn(before, sku), priceIn(after, sku)]
    if (was && is) for (const field of amounts) compare(`prices.${sku}.${field}`, was[field], is[field])
    else compare(`prices.${sku}`, was, is)
  }
  compare('problems', before.problems, after.problems)
  return changes
}

/** A SKU may be called `constructor`. */
const priceIn = ({ prices }: Prices, sku: string) => (Object.hasOwn(prices, sku) ? prices[sku] : undefined)
