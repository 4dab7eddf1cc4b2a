/** The demo's office: prices and texts are changed, pictures taken, promotions planned, and customers say what they want to be told. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Product } from '../../services/catalog/events.ts'
import { demoCustomers } from './customers.ts'
import { demoProducts } from './products.ts'
import { demoPromotions } from './shelves.ts'
import { actor, among, type DemoShop, type Random } from './shop.ts'

/** Until a promotion begins, and how long it lasts. */
const promotionInMs = 5_000
const promotionLastsMs = 120_000

export class Office {
  readonly #shop: DemoShop
  readonly #random: Random
  readonly #products = demoProducts()
  readonly #customers = demoCustomers()
  /** When the last promotion ends, on the wall clock: there is one at a time. */
  #promotionEnds = 0

  constructor(shop: DemoShop, random: Random) {
    this.#shop = shop
    this.#random = random
  }

  /** Around the price it began with, never far away. */
  async reprice(): Promise<void> {
    const { product, now } = await this.#someProduct()
    if (!now) return
    const factor = 0.85 + this.#random() * 0.3
    const variants = now.variants.map((variant) => {
      const began = product.variants.find(({ sku }) => sku === variant.sku) ?? variant
      const amount = Math.max(10, Math.round((began.price.amount * factor) / 10) * 10)
      return { ...variant, price: { ...variant.price, amount } }
    })
    await this.#shop.catalog.execute({ type: 'update', productId: product.id, fields: { variants } }, { actor })
  }

  async edit(): Promise<void> {
    const { product, now } = await this.#someProduct()
    if (!now) return
    const tag = among(this.#random, ['new', 'popular', 'sale', 'last-chance'])
    const tags = now.tags.includes(tag) ? now.tags.filter((one) => one !== tag) : [...now.tags, tag]
    const title = now.title === product.title ? `${product.title}, new edition` : product.title
    const fields = this.#random() < 0.4 ? { title } : { tags }
    await this.#shop.catalog.execute({ type: 'update', productId: product.id, fields }, { actor })
  }

  /** A product without a picture gets one; when all have theirs, a text is edited. */
  async photograph(): Promise<void> {
    const ids = this.#products.map(({ product }) => product.id)
    const [bare] = await this.#shop.db<{ id: string; title: string; sku: string }>`
      select   id, state ->> 'title' as title, state -> 'variants' -> 0 ->> 'sku' as sku
      from     catalog.products
      where    id = any(${ids}::text[]) and not deleted and json_array_length(state -> 'media') = 0
      order by id
      limit    1`
    if (!bare) return this.edit()
    const { drawProduct } = await import('../../services/media/drawing.ts')
    const picture = await drawProduct(bare.sku, bare.title)
    const { url } = await this.#shop.media.upload(Readable.from([picture]))
    const media = [{ url, alt: bare.title }]
    await this.#shop.catalog.execute({ type: 'update', productId: bare.id, fields: { media } }, { actor })
  }

  async promote(): Promise<void> {
    const now = Date.now()
    if (now < this.#promotionEnds) return this.reprice()
    this.#promotionEnds = now + promotionInMs + promotionLastsMs
    const promotion = {
      id: `demo-${randomUUID()}`,
      ...among(this.#random, demoPromotions),
      startsAt: new Date(now + promotionInMs).toISOString(),
      endsAt: new Date(this.#promotionEnds).toISOString(),
    }
    await this.#shop.pricing.execute({ type: 'create-promotion', promotion }, { actor })
  }

  /** A customer wants advertising, or no more. */
  async changeMind(): Promise<void> {
    const { customerId, preferences } = among(this.#random, this.#customers)
    const granted = this.#random() < 0.5
    await this.#shop.customers.execute(
      {
        type: 'prefer',
        customerId,
        preferences: {
          ...preferences,
          channels: { ...preferences.channels, marketing: granted ? ['email'] : [] },
          consents: { marketing: { granted, source: 'account', textVersion: '2026-01' } },
        },
      },
      { actor },
    )
  }

  async #someProduct() {
    const { product } = among(this.#random, this.#products)
    const [row] = await this.#shop.db<{ state: string }>`
      select state from catalog.products where id = ${product.id} and not deleted`
    return { product, now: row ? (JSON.parse(row.state) as Product) : undefined }
  }
}
