/** Which routes heed `Idempotency-Key`, `If-Match` and `If-None-Match`, for the API document and the page to try it. Nothing is checked by it. */

const routes = (list: string) => new Set(list.trim().split(/\s*\n\s*/))

/** The same key gives the first answer again. */
const keyed = routes(`
  POST /products
  PATCH /products/:id
  DELETE /products/:id
  POST /products/availability
  POST /products/:id/media
  DELETE /products/:id/media/:hash
  PUT /products/:id/slug
  PUT /products/:id/redirect
  PATCH /products/:id/inventory
  PATCH /inventory-items/:id
  POST /stocktakes
  POST /warehouses/:id/receipts
  POST /receipts/:id/receive
  POST /receipts/:id/cancel
  POST /transfers
  POST /transfers/:id/receive
  POST /transfers/:id/cancel
  POST /reservations
  POST /reservations/:id/confirm
  POST /reservations/:id/extend
  POST /reservations/:id/release
  POST /orders
  POST /orders/:id/returns
  POST /orders/:id/cancel
  POST /orders/:id/status
  POST /checkouts
  POST /checkouts/:id/retry
  POST /carts
  PUT /carts/:id/lines/:sku
  DELETE /carts/:id/lines/:sku
  POST /carts/:id/acknowledge
  POST /carts/:id/merge
  POST /customers
  PATCH /customers/:id
  PUT /customers/:id/preferences
  POST /customers/:id/erase
  POST /pricing/rules
  PATCH /pricing/rules/:id
  DELETE /pricing/rules/:id
  POST /promotions
  POST /promotions/:id/end
  POST /collections
  PATCH /collections/:id
  DELETE /collections/:id
  PUT /collections/:id/products
  PUT /collections/:id/products/:productId
  DELETE /collections/:id/products/:productId`)

/** Done only to the version that the caller saw. */
const versioned = routes(`
  PATCH /products/:id
  DELETE /products/:id
  PUT /products/:id/slug
  PUT /products/:id/redirect
  PATCH /products/:id/inventory
  PATCH /inventory-items/:id
  POST /orders/:id/returns
  POST /orders/:id/cancel
  POST /orders/:id/status
  PUT /carts/:id/lines/:sku
  DELETE /carts/:id/lines/:sku
  POST /carts/:id/acknowledge
  POST /carts/:id/merge
  PATCH /customers/:id
  PUT /customers/:id/preferences
  POST /customers/:id/erase
  PATCH /pricing/rules/:id
  DELETE /pricing/rules/:id
  POST /promotions/:id/end
  PATCH /collections/:id
  DELETE /collections/:id
  PUT /collections/:id/products
  PUT /collections/:id/products/:productId
  DELETE /collections/:id/products/:productId
  PATCH /marketing/lists/:id
  DELETE /marketing/lists/:id`)

/** Answered with 304 when the caller has it already. */
const remembered = routes(`
  GET /products/:id
  GET /media/:hash
  GET /media/:hash/:file
  GET /sitemap.xml
  GET /sitemaps/:file
  GET /robots.txt`)

const kinds = [
  {
    name: 'Idempotency-Key',
    heededBy: keyed,
    description:
      'a name for this request, 1 to 255 printable characters: sent again with the same name it is not done again, and has the first answer',
  },
  {
    name: 'If-Match',
    heededBy: versioned,
    description:
      'the ETag that you saw, `"7"`, with its quotes: if somebody was faster, nothing is done and the answer is 412',
  },
  {
    name: 'If-None-Match',
    heededBy: remembered,
    description: 'the ETag that you have, with its quotes: if it is still the same, the answer is 304 without a body',
  },
]

/** The headers that a route heeds, as a JSON schema; undefined when it heeds none. Without examples: the page would send them. */
export function headersOf(method: string, url: string) {
  const heeded = kinds.filter(({ heededBy }) => heededBy.has(`${method} ${url}`))
  if (heeded.length === 0) return undefined
  const properties = heeded.map(({ name, description }) => [name, { type: 'string', description }])
  return { type: 'object', properties: Object.fromEntries(properties) }
}

/** Every route named here, for the test that each is one. */
export const heeding = { keyed, versioned, remembered }
