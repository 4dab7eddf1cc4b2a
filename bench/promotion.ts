/** A promotion over the whole shop: how long until every product has its new price in the log, and what other writers feel of it meanwhile. */
import { bench, type Finding, inFlight, quantile, type Server, seconds } from './bench.ts'
import { openShop, productOf, type Shop, settled } from './shop.ts'

/** `node bench/promotion.ts 10000` takes fewer. */
const PRODUCTS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 100_000)
const RATE = 500
/** Changes come in ticks, as requests do. */
const TICK_MS = 5

export async function promotion({ url }: Server): Promise<Finding> {
  const shop = await openShop(url)
  await inFlight(500, PRODUCTS, (n) => shop.catalog.execute({ type: 'put', product: productOf(n) }))
  await settled(shop)
  const stop = new AbortController()
  const repricing = shop.pricing.run?.(stop.signal)
  const alone = await flow(shop, new Promise((resolve) => setTimeout(resolve, 5_000)))
  let applied = 0
  let caughtUp = 0
  const during = await flow(
    shop,
    (async () => {
      const begun = performance.now()
      applied = await seconds(async () => {
        await begin(shop)
        await underWay(shop)
      })
      await consumed(shop)
      caughtUp = (performance.now() - begun) / 1_000
    })(),
  )
  stop.abort()
  await repricing
  // By the promotion's event, or, for those that changed in that moment, by their own.
  const told = await shop.engine.db<{ count: number }>`
    select count(*)::int as count from pricing.prices where state::text like '%"kind":"promotion"%'`
  await shop.close()
  const repriced = told[0]?.count ?? 0
  const p95 = quantile(during, 0.95)
  return {
    line: `${repriced} products repriced in ${applied.toFixed(1)} s, every consumer past it after ${caughtUp.toFixed(1)} s; other changes p95 ${p95.toFixed(1)} ms at ${RATE}/s (${quantile(alone, 0.95).toFixed(1)} ms without)`,
    figures: {
      products: repriced,
      seconds: applied,
      consumedSeconds: caughtUp,
      p95Ms: p95,
      p99Ms: quantile(during, 0.99),
    },
    goals: {
      'every product repriced': repriced === PRODUCTS,
      '100,000 in under 20 s': applied / PRODUCTS < 20 / 100_000,
      'other changes p95 under 50 ms': p95 < 50,
    },
  }
}

const begin = (shop: Shop) =>
  shop.pricing.execute({
    type: 'create-promotion',
    promotion: {
      id: 'sale',
      name: 'Sale',
      scope: { all: true },
      effect: { percentOff: 20 },
      startsAt: new Date().toISOString(),
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    },
  })

async function underWay({ engine }: Shop) {
  for (;;) {
    const [row] = await engine.db<{ done: boolean }>`
      select exists (select from pricing.promotions where status = 'running') and not exists (select from pricing.repricings) as done`
    if (row?.done) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Every consumer past the log's end of now, while more is written behind it. */
async function consumed({ engine }: Shop) {
  const [end] = await engine.db<{ position: number }>`select position from lockstep.head`
  for (;;) {
    const [row] = await engine.db<{ position: number }>`select min(position) as position from lockstep.consumers`
    if ((row?.position ?? 0) >= (end?.position ?? 0)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Milliseconds of each change while something goes on: counts of stock, and texts of products. */
async function flow(shop: Shop, meanwhile: Promise<void>): Promise<number[]> {
  const latencies: number[] = []
  const under: Promise<void>[] = []
  let over = false
  void meanwhile.finally(() => (over = true))
  const started = performance.now()
  for (let sent = 0; !over; ) {
    const due = Math.floor(((performance.now() - started) / 1_000) * RATE)
    for (; sent < due; sent++) {
      const begun = performance.now()
      under.push(change(shop, sent).then(() => void latencies.push(performance.now() - begun)))
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  await Promise.all([meanwhile, ...under])
  return latencies
}

function change(shop: Shop, n: number): Promise<unknown> {
  const at = (n * 7) % PRODUCTS
  const { id, title } = productOf(at)
  if (n % 2 === 0) return shop.catalog.execute({ type: 'update', productId: id, fields: { title: `${title} no ${n}` } })
  const sku = `SKU-${at}`
  const quantity = 1 + (n % 900)
  return shop.inventory.execute({ type: 'set-quantity', sku, warehouseId: 'main', quantity, trigger: 'ADMIN_UPDATE' })
}

await bench(import.meta, 'promotion', promotion)
