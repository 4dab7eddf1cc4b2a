/** How the demo's shop is arranged: collections by rule and by hand, a standing price rule, and the promotions that come and go. Pure. */
import type { Condition } from '../../services/collections/condition.ts'
import type { Promotion, Rule } from '../../services/pricing/rule.ts'

const where = (
  field: Condition['field'],
  operator: Condition['operator'],
  value: Condition['value'],
  name?: string,
) => ({
  match: 'all' as const,
  conditions: [{ field, operator, value, ...(name !== undefined && { name }) }],
})

export const demoCollections = [
  { id: 'under-20', title: 'Under 20 €', rule: where('price', 'lt', 2_000) },
  { id: 'gifts', title: 'Gifts', rule: where('tag', 'equals', 'gift') },
  { id: 'new-arrivals', title: 'New arrivals', rule: where('tag', 'equals', 'new') },
  { id: 'made-by-hand', title: 'Made by hand', rule: where('attribute', 'equals', true, 'handmade') },
  { id: 'ready-to-ship', title: 'Ready to ship', rule: where('available', 'equals', true) },
  {
    id: 'our-favourites',
    title: 'Our favourites',
    productIds: ['roll-top-backpack', 'gooseneck-kettle', 'merino-blanket', 'dot-grid-notebook', 'paper-pendant-lamp'],
  },
]

/** Prices end in 90 cents, but never below a euro: a rule for the whole shop. */
export const demoRule: Rule = {
  id: 'price-endings',
  name: 'Prices end in 90',
  priority: 100,
  scope: { categories: ['Lighting', 'Desk'] },
  effect: { roundTo: { step: 100, less: 10 } },
  minPrice: { amount: 100, currency: 'EUR' },
}

/** Promotions of which one now and then begins, and is over two minutes later. */
export const demoPromotions: Pick<Promotion, 'name' | 'scope' | 'effect'>[] = [
  { name: 'Coffee hour', scope: { categories: ['Coffee & Tea'] }, effect: { percentOff: 15 } },
  { name: 'Out and about', scope: { tags: ['travel'] }, effect: { percentOff: 10 } },
  { name: 'Studio Halm days', scope: { vendors: ['Studio Halm'] }, effect: { percentOff: 20 } },
  { name: 'Gift week', scope: { tags: ['gift'] }, effect: { amountOff: { amount: 300, currency: 'EUR' } } },
  { name: 'Kitchen clear-out', scope: { categories: ['Kitchen'] }, effect: { percentOff: 25 } },
]
