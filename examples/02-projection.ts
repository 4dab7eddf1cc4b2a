/** A projection: a price list that follows the catalog. Order, retries, checkpoints and rebuilding are the engine's. */
import { projection, replay } from '../src/index.ts'
import { openShop } from './shop.ts'

const priceList = projection({
  name: 'price-list',
  on: ['product.*'],
  async apply(changes, tx) {
    await tx`
      insert into price_list (product_id, version, live, title, cents)
      select * from unnest(${changes.map(({ key }) => key)}::text[], ${changes.map(({ version }) => version)}::bigint[],
                           ${changes.map(({ type }) => type !== 'product.deleted')}::bool[],
                           ${changes.map(({ data }) => data.product.title)}::text[],
                           ${changes.map(({ data }) => data.product.variants[0].price.amount)}::bigint[])
      on conflict (product_id) do update
      set    version = excluded.version, live = excluded.live, title = excluded.title, cents = excluded.cents
      where  excluded.version > price_list.version`
  },
  reset: async (tx) => void (await tx`truncate price_list`),
})
const service = { name: 'price-list', schema: new URL('./schema/price-list/', import.meta.url), consumers: [priceList] }

await using shop = await openShop(service)
const { engine } = shop

await shop.put('lamp', 'Oak lamp', 4_900)
await shop.put('mug', 'Mug', 900)
for (let cents = 1_000; cents <= 1_300; cents += 100) await shop.put('mug', 'Mug', cents)
await shop.remove('lamp')
await engine.settle() // in a program: engine.run(signal)

const list = () => engine.db`select product_id, version, live, cents from price_list order by product_id`
console.log([...(await list())])

// Built anew from the log; the answer is the same.
const before = JSON.stringify(await list())
await engine.db`update price_list set cents = 1`
await replay(engine.db, 'price-list', 0, priceList) // `lockstep replay price-list --from start`
await engine.settle()
console.log('rebuilt the same:', JSON.stringify(await list()) === before)

/* Prints:
[
  { product_id: 'lamp', version: 2, live: false, cents: 4900 },
  { product_id: 'mug', version: 5, live: true, cents: 1300 }
]
rebuilt the same: true
*/
