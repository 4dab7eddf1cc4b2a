/** A reaction: something done once for every event. Through `tx` exactly once; outside at least once, with a key that lets the other side tell. */
import { reaction } from '../src/index.ts'
import { openShop } from './shop.ts'

/** The print shop: somebody else's system, which takes an order of labels once per key. */
const printed = new Map<string, string>()
let calls = 0
function printShop(key: string, title: string) {
  calls++
  if (printed.has(key)) return
  printed.set(key, title)
  if (title === 'Mug') throw new Error('the answer got lost on its way') // it was printed, but we don't know
}

const labels = reaction({
  name: 'labels',
  from: 'start',
  on: {
    'product.created': async (event, { tx, idempotencyKey, attempt }) => {
      if (attempt > 1) console.log(`try ${attempt} for ${event.key}`)
      printShop(idempotencyKey, event.data.product.title)
      await tx`insert into labels_ordered (event_id, product_id) values (${event.id}, ${event.key})`
    },
  },
})

await using shop = await openShop({
  name: 'labels',
  schema: new URL('./schema/labels/', import.meta.url),
  consumers: [labels],
})
await shop.put('lamp', 'Oak lamp')
await shop.put('mug', 'Mug')
await shop.put('vase', 'Vase')
await shop.engine.settle()

const ordered = await shop.engine.db<{ product_id: string }>`select product_id from labels_ordered order by product_id`
console.log('in our database:', ordered.map(({ product_id }) => product_id).join(', '))
console.log(`at the print shop: ${calls} calls, ${printed.size} labels`)

/* Prints:
try 2 for mug
in our database: lamp, mug, vase
at the print shop: 4 calls, 3 labels
*/
