/** How the rulebook changes: rules made, changed and removed, promotions planned, begun and ended, and what is to be priced anew for it. */
import { isDeepStrictEqual } from 'node:util'
import { type Decision, Rejected } from '../../engine/decider.ts'
import {
  type Cause,
  type PricingCommand,
  type PricingFact,
  promotionEntity,
  type Repricing,
  RULEBOOK,
  type Written,
} from './decider.ts'
import { type Promotion, type Rule, type Rulebook, type Scope, versionOf } from './rule.ts'

/** Rules, and promotions that have not ended: what every price is made by. */
const MOST = 1_000

type BookFact = Extract<PricingFact, { type: 'book.changed' }>
type Of<Type extends PricingCommand['type']> = Extract<PricingCommand, { type: Type }>

const changed = (book: Rulebook, rest: Pick<BookFact, 'reprice'> = {}): BookFact => ({
  type: 'book.changed',
  entity: RULEBOOK,
  book: { ...book, changes: nextVersion(book) },
  ...rest,
})

/** The version of what the next change makes. */
const nextVersion = ({ changes = 0 }: Rulebook) => changes + 1

const inOrder = (rules: Rule[]) =>
  rules.sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))

function withRule(book: Rulebook, made: Rule, scopes: Scope[]): Decision<PricingFact> {
  const rule = { ...made, version: nextVersion(book) }
  const rules = inOrder([...book.rules.filter(({ id }) => id !== rule.id), rule])
  const reprice: Repricing = { subject: `rule/${rule.id}`, scopes }
  return { facts: [changed({ ...book, rules }, { reprice })], answer: { rule } }
}

export function createRule(book: Rulebook, rule: Rule): Decision<PricingFact> {
  mustBeFree('rule', book.rules, rule.id)
  return withRule(book, rule, [rule.scope])
}

export function changeRule(book: Rulebook, { id, patch, expected }: Of<'change-rule'>): Decision<PricingFact> {
  const rule = existing('rule', book.rules, id, expected)
  const { minPrice = rule.minPrice, ...fields } = patch
  const { minPrice: _, ...plain } = { ...rule, ...fields }
  const next: Rule = { ...plain, ...(minPrice && { minPrice }) }
  if (isDeepStrictEqual(next, rule)) return { facts: [], answer: { rule } }
  return withRule(book, next, isDeepStrictEqual(rule.scope, next.scope) ? [rule.scope] : [rule.scope, next.scope])
}

export function removeRule(book: Rulebook, { id, expected }: Of<'remove-rule'>): Decision<PricingFact> {
  const { scope } = existing('rule', book.rules, id, expected)
  const rules = book.rules.filter((rule) => rule.id !== id)
  return { facts: [changed({ ...book, rules }, { reprice: { subject: `rule/${id}`, scopes: [scope] } })] }
}

/**
 * `known` is what was ever planned under its id. A request that comes again, as a client sends it who heard no answer, must not bring a discount back that
 * somebody ended: an ended one's id stays its own.
 */
export function createPromotion(
  book: Rulebook,
  known: Written | undefined,
  given: Omit<Promotion, 'begun'>,
  now: Date,
): Decision<PricingFact> {
  const { id } = given
  if (known?.status === 'ended') {
    const message = `the promotion ${JSON.stringify(id)} has ended: plan another under an id of its own`
    throw new Rejected('already-exists', { what: 'promotion', id }, message)
  }
  if (known && isDeepStrictEqual(asPlanned(known.promotion), asPlanned(given)))
    return { facts: [], answer: { id, created: false } }
  mustBeFree('promotion', book.promotions, id)
  if (Date.parse(given.endsAt) <= now.getTime())
    throw new Rejected('promotion-over', { id: given.id, endsAt: given.endsAt }, 'the promotion would be over already')
  const promotion: Promotion = { ...given, begun: false, version: nextVersion(book) }
  const promotions = [...book.promotions, promotion]
  return {
    facts: [changed({ ...book, promotions }), written(promotion, 'scheduled')],
    answer: { id, created: true },
  }
}

const asPlanned = ({ begun, version, ...planned }: Partial<Promotion>) => planned

const written = (promotion: Promotion, status: Written['status']): PricingFact => ({
  type: 'promotion.written',
  entity: promotionEntity(promotion.id),
  promotion,
  status,
})

export function beginPromotion(book: Rulebook, id: string): Decision<PricingFact> {
  const before = book.promotions.find((promotion) => promotion.id === id)
  if (!before || before.begun) return { facts: [] }
  const promotion = { ...before, begun: true, version: nextVersion(book) }
  const promotions = book.promotions.map((one) => (one.id === id ? promotion : one))
  const reprice = repricingFor(promotion, 'price.promotion.applied')
  return { facts: [changed({ ...book, promotions }, { reprice }), written(promotion, 'running')] }
}

/** Once its start has passed it may be on some price, even if it has not begun by itself yet. */
export function endPromotion(book: Rulebook, { id, expected }: Of<'end-promotion'>, now: Date): Decision<PricingFact> {
  const before = book.promotions.find((one) => one.id === id)
  if (!before) return { facts: [], answer: { id } }
  mustBeAt('promotion', before, expected)
  const promotion = { ...before, version: nextVersion(book) }
  const promotions = book.promotions.filter((one) => one.id !== id)
  const started = Date.parse(promotion.startsAt) <= now.getTime()
  const reprice = started ? { reprice: repricingFor(promotion, 'price.promotion.ended') } : {}
  return {
    facts: [changed({ ...book, promotions }, reprice), written(promotion, 'ended')],
    answer: { id, version: promotion.version },
  }
}

function repricingFor({ id, name, scope, startsAt, endsAt }: Promotion, type: Cause['type']): Repricing {
  return { subject: `promotion/${id}`, scopes: [scope], cause: { type, promotion: { id, name, startsAt, endsAt } } }
}

type Entry = { id: string; version?: number }

function existing<E extends Entry>(what: string, entries: E[], id: string, expected?: number): E {
  const entry = entries.find((one) => one.id === id)
  if (!entry) throw new Rejected('not-found', { what, id }, `there is no ${what} ${JSON.stringify(id)}`)
  mustBeAt(what, entry, expected)
  return entry
}

/** Throws `version-mismatch` when the caller saw another version; one who names none takes it as it is. */
export function mustBeAt(what: string, entry: Entry, expected: number | undefined): void {
  const actual = versionOf(entry)
  if (expected === undefined || expected === actual) return
  throw new Rejected('version-mismatch', { entity: `${what}/${entry.id}`, expected, actual })
}

function mustBeFree(what: string, entries: { id: string }[], id: string): void {
  if (entries.some((entry) => entry.id === id))
    throw new Rejected('already-exists', { what, id }, `there is a ${what} ${JSON.stringify(id)} already`)
  if (entries.length >= MOST)
    throw new Rejected('too-many-rules', { what, max: MOST }, `there are ${MOST} ${what}s already`)
}
