/** The kinds of feeds there are. */
import type { Feed } from './definition.ts'
import { catalogueFeed } from './kinds/catalogue.ts'
import type { Kind } from './kinds/kind.ts'
import { priceFeed } from './kinds/price.ts'
import { stockFeed } from './kinds/stock.ts'

// What a kind's rows state goes through the database untyped: only the kind that wrote it reads it.
export const kinds = { catalogue: catalogueFeed, price: priceFeed, stock: stockFeed } as unknown as Record<
  Feed['kind'],
  Kind<never>
>
