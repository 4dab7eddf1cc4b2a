/**
 * 20,000 durable updates of 5,000 products until all consumers have caught up: first the peers' work (a 500-byte payload, six consumers that each
 * upsert id, version and payload), then prices of real products with those consumers that show a shop (stock, search, collections, SEO, storefront, low
 * stock's mail), then what a shop's day is made of with every consumer there is: of twenty changes eleven of stock, eight of a price, one of a text.
 */
import { bench, type Finding, inFlight, type Server, seconds } from './bench.ts'
import { itemService, items } from './items.ts'
import { openShop, productOf, SHOWING, type Shop, settled } from './shop.ts'

const UPDATES = 20_000
const PRODUCTS = 5_000
/** Clients that wait for their update before they send the next. */
const IN_FLIGHT = 4_000

export async function fanOut(server: Server): Promise<Finding> {
  const peers = await peersWork(server)
  const shop = await shopsWork(server, priceOf, SHOWING)
  const mixed = await shopsWork(server, anyChange)
  const per = (value: number) => `${Math.round(value).toLocaleString('en')} updates/s`
  return {
    line: `${per(peers)} until six plain consumers had caught up; prices ${per(shop)} with the consumers that show a shop, mostly stock and prices ${per(mixed)} with every consumer`,
    figures: { peers, shop, mixed },
    goals: {
      "peers' work at least 12,000/s": peers >= 12_000,
      'consumers that show a shop at least 6,000/s': shop >= 6_000,
      'every consumer at least 5,000/s': mixed >= 5_000,
    },
  }
}

async function peersWork({ engine: open }: Server): Promise<number> {
  const engine = open()
  await engine.install([itemService])
  const executor = engine.executor(items)
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  const payload = 'x'.repeat(500)
  const update = (n: number) => executor.execute({ id: `p${n % PRODUCTS}`, payload })
  await inFlight(IN_FLIGHT, PRODUCTS, update)
  await settled({ engine })
  const took = await seconds(async () => {
    await inFlight(IN_FLIGHT, UPDATES, update)
    await settled({ engine })
  })
  stop.abort()
  await running
  await engine.db`delete from lockstep.consumers where name like 'copy-%'`
  await engine.close()
  return UPDATES / took
}

type Change = (shop: Shop, n: number) => Promise<unknown>

const priceOf: Change = ({ catalog }, n) => {
  const { id, variants } = productOf(n % PRODUCTS, 1 + n)
  return catalog.execute({ type: 'update', productId: id, fields: { variants } })
}

const stockOf: Change = ({ inventory }, n) =>
  inventory.execute({
    type: 'set-quantity',
    sku: `SKU-${n % PRODUCTS}`,
    warehouseId: 'main',
    quantity: 1 + (n % 900),
    trigger: 'ADMIN_UPDATE',
  })

const anyChange: Change = (shop, n) => {
  if (n % 20 < 11) return stockOf(shop, n)
  if (n % 20 < 19) return priceOf(shop, n)
  const { id, title } = productOf(n % PRODUCTS)
  return shop.catalog.execute({ type: 'update', productId: id, fields: { title: `${title}, number ${n}` } })
}

async function shopsWork({ url }: Server, change: Change, following?: string[]): Promise<number> {
  const shop = await openShop(url, {}, following)
  await inFlight(IN_FLIGHT, PRODUCTS, (n) => shop.catalog.execute({ type: 'put', product: productOf(n) }))
  await settled(shop)
  await inFlight(IN_FLIGHT, PRODUCTS, (n) => stockOf(shop, n))
  await settled(shop)
  const took = await seconds(async () => {
    await inFlight(IN_FLIGHT, UPDATES, (n) => change(shop, n))
    await settled(shop)
  })
  await shop.close()
  return UPDATES / took
}

await bench(import.meta, 'fan-out', fanOut)
