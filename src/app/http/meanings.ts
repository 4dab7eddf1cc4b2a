/** What parameters mean, for the API document: said here once, since a name means the same wherever it stands. A route's own word goes first. */

const meanings: Record<string, string> = {
  after: 'begin behind this position or version',
  alt: 'what the image shows, for those who do not see it',
  anonymousId: 'of the visitor with this id',
  asOf: 'the time that stock without one of its own is of; `2026-12-01T08:00:00Z`',
  available: 'only what can be bought, or only what can not',
  before: 'end before this position',
  by: 'how long a bucket is',
  category: 'of this category',
  checkAllWarehouses: 'what all warehouses have together; else what one of them has alone',
  code: 'the part after /problems/ of a problem’s type',
  consumer: 'of this consumer',
  consumers: 'wait for these alone; names, separated by commas',
  correlationId: 'what follows from one request, by its `x-correlation-id`',
  cursor: '`next` of the page before',
  customerId: 'of this customer',
  detail: 'say why: position, lag, error, attempts, next retry (ADMIN)',
  dryRun: 'find out what would be done, and change nothing',
  email: 'with this address, upper or lower case',
  entity: 'of this entity, as a sync token names it: `stock/LAMP-1`',
  failed: 'only what a rule refused, or only the rest',
  file: 'its name, as its link says it',
  force: 'read it although it says that it has not changed',
  format: 'how it is answered',
  from: 'not before this time; `2026-12-01T08:00:00Z`',
  group: 'what sold the most, by this',
  hash: 'SHA-256 in hex of the file, as its link says it',
  key: 'of this key: a product’s id for everything about it, `customer/ID`, `order/ID`',
  limit: 'at most so many',
  locale: 'in this language, `de` or `de-CH`; else as `Accept-Language` asks for it',
  name: 'its name',
  order: 'which comes first',
  outcome: 'only what became this',
  path: 'a path of the shop; `/products/oak-lamp`',
  priceMax: 'costs at most this, in minor units',
  priceMin: 'costs at least this, in minor units',
  product: 'of this product',
  productId: 'the product’s id',
  products: 'ids, separated by commas',
  q: 'words to look for',
  quantity: 'so many are wanted',
  sku: 'of this SKU',
  slug: 'the last part of an address',
  sort: 'in this order',
  state: 'in this state',
  status: 'with this status',
  stuck: 'only those that do not get on by themselves, or only the rest',
  tag: 'with any of these tags, separated by commas',
  template: 'made of this template',
  to: 'before this time; `2026-12-08T08:00:00Z`',
  token: 'as the mail’s link has it',
  type: 'of this type, `product.updated`, or `product.*` for all of a source',
  vendor: 'of this vendor',
  version: 'how many events it has had: the number after @ in a sync token',
  wait: 'answer when it is there, at the latest after this time: `2s`, `500ms`; 8 s at most',
  warehouse: 'of this warehouse',
  window: 'of how long',
}

interface Described {
  properties?: Record<string, { description?: string }>
}

/** A JSON schema of parameters in which each has a description. The path tells whose `id` it is: /products/:id. */
export function withMeanings<Schema>(schema: Schema, path: string): Schema {
  const { properties } = (schema ?? {}) as Described
  if (!properties) return schema
  const described = Object.entries(properties).map(([name, property]) => {
    const description = property.description ?? (name === 'id' ? idIn(path) : meanings[name])
    return [name, description === undefined ? property : { ...property, description }]
  })
  return { ...schema, properties: Object.fromEntries(described) }
}

function idIn(path: string): string {
  const [, kind = ''] = /([^/]+)\/:id/.exec(path) ?? []
  const owner = kind === 'by-product' ? 'product' : kind.replace(/s$/, '').replaceAll('-', ' ')
  return `the ${owner}’s id`
}
