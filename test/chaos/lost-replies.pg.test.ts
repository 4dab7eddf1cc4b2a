/** Answers get lost on their way: over HTTP and from Postgres, each tenth. Callers ask again under the same key until they know. */
import { expect } from 'vitest'
import { createTestDatabase } from '../database.ts'
import { openTestShop } from '../shop.ts'
import { openWire } from './network.ts'
import { seededTest } from './seed.ts'

const STOCK = 120
const ORDERS = 200

seededTest(
  'with a tenth of all answers lost, each order is placed once, told the same under its key, and none is sold twice',
  async (random) => {
    const { url } = await createTestDatabase()
    const toPostgres = await openWire(url)
    await using shop = await openTestShop(toPostgres.url)
    const web = await openWire(await shop.app.listen({ port: 0, host: '127.0.0.1' }))
    const headers = { ...(await shop.as('ADMIN')), 'content-type': 'application/json' }
    const send = (path: string, key: string, body: object) =>
      fetch(new URL(path, web.url), {
        method: 'POST',
        headers: { ...headers, 'idempotency-key': key },
        body: JSON.stringify(body),
      })
    const variants = [{ sku: 'LAMP', price: { amount: 4_900, currency: 'EUR' } }]
    expect((await send('/v1/products', 'lamp', { id: 'lamp', title: 'Lamp', variants })).status).toBe(201)
    const stocked = { type: 'set-initial', sku: 'LAMP', productId: 'lamp', warehouseId: 'main' } as const
    await shop.services.inventory.execute({ ...stocked, quantity: STOCK, trigger: 'IMPORTED' })

    web.loseShare(0.1, random)
    toPostgres.loseShare(0.02, random) // of packets: about a tenth of the batches
    let lost = 0
    const until = async (key: string, quantity: number) => {
      for (;;) {
        try {
          const response = await send('/v1/orders', key, { orderId: key, lines: [{ sku: 'LAMP', quantity }] })
          const { requestId: _, instance: __, ...body } = (await response.json()) as Record<string, string>
          if (response.status !== 503) return { status: response.status, body }
        } catch {} // the reply was lost, whole or in part
        lost++
      }
    }
    const keys = Array.from({ length: ORDERS }, (_, n) => `order-${n}`)
    const first = await Promise.all(keys.map((key) => until(key, 1)))
    const again = await Promise.all(keys.map((key) => until(key, 1)))
    web.heal()
    toPostgres.heal()

    const ok = first.filter(({ status }) => status === 201)
    expect(ok).toHaveLength(STOCK)
    expect(
      first.filter(({ status, body }) => status === 409 && body.type === '/problems/insufficient-stock'),
    ).toHaveLength(ORDERS - STOCK)
    for (const [n, { status, body }] of first.entries()) {
      if (status === 201) expect(again[n]).toEqual({ status, body })
      else expect(again[n]?.status).toBe(status)
    }
    expect(lost).toBeGreaterThan(10)
    const other = keys[first.findIndex(({ status }) => status === 201)] ?? ''
    const reused = await until(other, 2)
    expect(reused).toMatchObject({ status: 422, body: { type: '/problems/idempotency-key-reused' } })

    const [stock] = await shop.engine.db`
      select l.on_hand, (select sum(on_hand_delta)::int from inventory.ledger g where g.sku = l.sku) as moved,
             (select count(distinct reference)::int from inventory.ledger g where g.on_hand_delta = -1) as sold
      from   inventory.levels l
      where  l.sku = 'LAMP' and l.warehouse_id = 'main'`
    expect(stock).toMatchObject({ on_hand: 0, moved: 0, sold: STOCK })
  },
)
