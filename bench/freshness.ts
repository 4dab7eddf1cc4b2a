/** From commit to applied, for every consumer of the shop, while so many changes a second flow in: prices, texts and stock. */
import { bench, type Finding, quantile, type Server } from './bench.ts'
import { openShop, productOf, type Shop, settled } from './shop.ts'

const PRODUCTS = 2_000
const SECONDS = 10
/** Changes come in ticks, as requests do. */
const TICK_MS = 5

export async function freshness({ url }: Server): Promise<Finding> {
  let latencies = new Map<string, number[]>()
  const shop = await openShop(url, {
    applied(consumer, events) {
      const now = Date.now()
      const list = latencies.get(consumer) ?? []
      for (const event of events) list.push(now - event.at.getTime())
      latencies.set(consumer, list)
    },
  })
  await Promise.all(
    Array.from({ length: PRODUCTS }, (_, n) => shop.catalog.execute({ type: 'put', product: productOf(n) })),
  )
  await settled(shop)
  await Promise.all(Array.from({ length: PRODUCTS }, (_, n) => stockOf(shop, n, 1_000)))
  await settled(shop)
  const figures: Record<string, number> = {}
  for (const rate of [500, 2_000]) {
    latencies = new Map()
    await flow(shop, rate)
    for (const [consumer, list] of latencies)
      if (list.length > 100) figures[`${consumer}P95At${rate}`] = quantile(list, 0.95)
  }
  await shop.close()
  const worst = (rate: number) =>
    Math.max(...Object.entries(figures).flatMap(([name, ms]) => (name.endsWith(`At${rate}`) ? [ms] : [])))
  return {
    line: `commit → applied p95 of the slowest consumer: ${worst(500)} ms at 500 changes/s, ${worst(2_000)} ms at 2,000/s`,
    figures,
    goals: { 'p95 under 25 ms at 500/s': worst(500) < 25, 'p95 under 100 ms at 2,000/s': worst(2_000) < 100 },
  }
}

const stockOf = (shop: Shop, n: number, quantity: number) =>
  shop.inventory.execute({
    type: 'set-quantity',
    sku: `SKU-${n}`,
    warehouseId: 'main',
    quantity,
    trigger: 'ADMIN_UPDATE',
  })

async function flow(shop: Shop, rate: number) {
  const started = performance.now()
  const under: Promise<unknown>[] = []
  let sent = 0
  while (performance.now() - started < SECONDS * 1_000) {
    const due = Math.floor(((performance.now() - started) / 1_000) * rate)
    for (; sent < due; sent++) under.push(change(shop, sent))
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  await Promise.all(under)
  await settled(shop)
}

function change(shop: Shop, n: number): Promise<unknown> {
  const at = (n * 7) % PRODUCTS
  const { id, variants } = productOf(at, 1 + n)
  if (n % 10 < 5) return shop.catalog.execute({ type: 'update', productId: id, fields: { variants } })
  if (n % 10 < 6)
    return shop.catalog.execute({ type: 'update', productId: id, fields: { title: `${productOf(at).title} no ${n}` } })
  return stockOf(shop, at, 100 + (n % 900))
}

await bench(import.meta, 'freshness', freshness)
