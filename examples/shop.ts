/** What the lessons stand on: the shop's catalog, and a service that follows it, on a database of their own. */
import { pino } from 'pino'
import { Engine, type Service } from '../src/index.ts'
import { normalProduct } from '../src/services/catalog/product.ts'
import { catalogService } from '../src/services/catalog/service.ts'
import { scratchDatabase } from './scratch.ts'

export async function openShop(service: Service) {
  const database = await scratchDatabase()
  const engine = new Engine({ url: database.url, log: pino({ level: 'silent' }), retry: { firstMs: 10 } })
  const catalog = catalogService(engine)
  await engine.install([catalog, service])
  return {
    engine,
    /** Makes a product so, whether it was there or not; `price` in cents. */
    put: (id: string, title: string, price = 1_900) =>
      catalog.execute({
        type: 'put',
        product: normalProduct({
          id,
          title,
          variants: [{ sku: `${id}-1`, price: { amount: price, currency: 'EUR' } }],
        }),
      }),
    remove: (id: string) => catalog.execute({ type: 'delete', productId: id }),
    async [Symbol.asyncDispose]() {
      await engine.close()
      await database[Symbol.asyncDispose]()
    },
  }
}
