/** Stock over HTTP: counts and levels of a product, its movements, and the two answers of document C. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { syncToken } from '../../engine/event.ts'
import type { CommandOptions, Executor } from '../../engine/executor.ts'
import {
  type App,
  commandOptions,
  etag,
  flagQuery,
  invalidRequest,
  limitQuery,
  notFound,
  pageOf,
  pageSchema,
  placeIn,
} from '../../engine/http.ts'
import { count, identifier, plainText } from '../../engine/text.ts'
import type { Command } from './commands.ts'
import { restockOf } from './delivery-queries.ts'
import type { CatalogFollower } from './follow-catalog.ts'
import { chosenSku, knownItems } from './known-items.ts'
import { readMovements } from './ledger-queries.ts'
import { itemOf, leadTimeOf, productInventoryOf, unitsThere } from './queries.ts'
import type { InventorySettings } from './settings.ts'
import { stockId } from './state.ts'

const tags = ['inventory']
const params = z.strictObject({ id: identifier })
const mayAsk = { roles: ['product-service'] } // C, Authentication and Authorization: queries only

const patch = z.strictObject({
  sku: identifier.optional(),
  warehouseId: identifier.optional(),
  quantity: count,
  reason: plainText(500).optional(),
})
const counted = z.object({
  productId: z.string(),
  sku: z.string(),
  warehouseId: z.string(),
  previousQuantity: z.int(),
  newQuantity: z.int(),
  available: z.int(),
  version: z.int(),
  syncToken: z.string(),
})
const planInput = z
  .strictObject({
    safetyStock: count.optional(),
    backorderLimit: count.optional(),
    reorderThreshold: count.optional(),
    targetLevel: count.optional(),
    reason: plainText(500).optional(),
  })
  .refine((given) => Object.keys(given).some((name) => name !== 'reason'), { error: 'must set something' })
const planned = z.object({
  inventoryItemId: z.string(),
  sku: z.string(),
  warehouseId: z.string(),
  safetyStock: z.int(),
  backorderLimit: z.int(),
  reorderThreshold: z.int(),
  targetLevel: z.int(),
  available: z.int(),
  version: z.int(),
  syncToken: z.string(),
})
const item = z.object({
  sku: z.string(),
  active: z.boolean(),
  onHand: z.int(),
  reserved: z.int(),
  /** Sold beyond what is on hand: what comes in is theirs first. */
  backordered: z.int(),
  available: z.int(),
  reorderThreshold: z.int(),
  targetLevel: z.int(),
  /** Units on their way with receipts and transfers, and when the first of them are expected. */
  incoming: z.int(),
  restockExpected: z.string().nullable(),
  version: z.int(),
  syncToken: z.string(),
  levels: z.array(
    z.object({
      warehouseId: z.string(),
      warehouseName: z.string(),
      inventoryItemId: z.string(),
      onHand: z.int(),
      reserved: z.int(),
      safetyStock: z.int(),
      backordered: z.int(),
      backorderLimit: z.int(),
      available: z.int(),
    }),
  ),
})
const movement = z.object({
  sku: z.string(),
  version: z.int(),
  at: z.iso.datetime(),
  warehouseId: z.string(),
  onHandDelta: z.int(),
  reservedDelta: z.int(),
  onHand: z.int(),
  reserved: z.int(),
  trigger: z.string(),
  reason: z.string().nullable(),
  referenceType: z.string().nullable(),
  reference: z.string().nullable(),
  actor: z.string().nullable(),
})

export function itemRoutes(
  app: App,
  db: Database,
  execute: Executor<Command>['execute'],
  follower: CatalogFollower,
  settings: Pick<InventorySettings, 'defaultWarehouses'>,
): void {
  const itemsOf = async (productId: string) => (await knownItems(db, follower, productId)).items

  app.patch(
    '/products/:id/inventory',
    {
      schema: {
        summary: 'Set what is on hand of a SKU in a warehouse',
        tags,
        params,
        body: patch,
        response: { 200: counted },
      },
      config: { roles: ['ADMIN'] },
    },
    async (request, reply) => {
      const { id: productId } = request.params
      const { warehouseId, quantity, reason } = request.body
      const known = await knownItems(db, follower, productId, request.body.sku)
      const sku = chosenSku(known, productId, request.body.sku)
      const entity = stockId(sku)
      const options = commandOptions(request, entity)
      const item = known.items.find((one) => one.active && one.sku === sku)
      const only = item?.levels.length === 1 ? item.levels[0]?.warehouseId : undefined
      const where = warehouseId ?? only ?? settings.defaultWarehouses[0] ?? item?.levels[0]?.warehouseId
      if (where === undefined) throw invalidRequest({ in: 'body', field: 'warehouseId', message: 'is needed' })
      // Who counts goods has them, where items are not created by themselves too.
      if (!item) await opened(execute, { productId, sku, warehouseId: where }, options)
      const { answer, versions } = await execute(
        { type: 'set-quantity', sku, warehouseId: where, quantity, reason },
        options,
      )
      // Without an event the count was right already.
      const version =
        versions[entity] ?? item?.version ?? (await itemsOf(productId)).find((one) => one.sku === sku)?.version ?? 0
      reply.header('etag', etag(version))
      return { ...(answer as z.infer<typeof counted>), version, syncToken: syncToken(entity, version) }
    },
  )

  app.get(
    '/products/:id/inventory',
    {
      schema: {
        summary: 'What there is of a product, by SKU and warehouse',
        tags,
        params,
        response: { 200: z.object({ productId: z.string(), items: z.array(item) }) },
      },
      config: mayAsk,
    },
    async (request) => {
      const productId = request.params.id
      const items = await itemsOf(productId)
      return {
        productId,
        items: items.map((one) => ({
          ...one,
          incoming: one.incoming.reduce((sum, { quantity }) => sum + quantity, 0),
          restockExpected: restockOf(one.incoming),
          syncToken: syncToken(stockId(one.sku), one.version),
        })),
      }
    },
  )

  app.get(
    '/products/:id/ledger',
    {
      schema: {
        summary: 'Every movement of its stock, newest first, with the balance after each',
        tags,
        params,
        querystring: z.strictObject({ sku: identifier.optional(), ...limitQuery() }),
        response: { 200: pageSchema(movement) },
      },
      config: { roles: ['ADMIN'] },
    },
    async (request) => {
      const { sku, limit, cursor } = request.query
      const productId = request.params.id
      await itemsOf(productId)
      const rows = await readMovements(db, { productId, sku, before: placeIn(cursor, place), limit: limit + 1 })
      const { items, next } = pageOf(rows, limit, ({ at, sku, version }) => ({ at, sku, version }))
      return {
        items: items.map((row) => ({ ...row, at: new Date(row.at).toISOString() })),
        ...(next !== undefined && { next }),
      }
    },
  )

  app.get(
    '/inventory-items/by-product/:id',
    {
      schema: {
        summary: 'A product’s inventory over all warehouses',
        tags,
        params,
        response: { 200: z.object({ success: z.literal(true), data: byProduct }) },
      },
      config: mayAsk,
    },
    async (request) => ({ success: true as const, data: productInventoryOf(await itemsOf(request.params.id)) }),
  )

  app.patch(
    '/inventory-items/:id',
    {
      schema: {
        summary:
          'Keep units back from sale in this warehouse, or sell some before they are there; set when to order more of the SKU, and how much',
        tags,
        params,
        body: planInput,
        response: { 200: planned },
      },
      config: { roles: ['ADMIN'] },
    },
    async (request, reply) => {
      const { id } = request.params
      const found = await itemOf(db, id)
      const level = found?.levels.find((one) => one.inventoryItemId === id)
      if (!found || !level) throw notFound('inventory item', id)
      const { sku } = found
      const command: Command = { type: 'plan', sku, warehouseId: level.warehouseId, ...request.body }
      const entity = stockId(sku)
      const { answer, versions } = await execute(command, commandOptions(request, entity))
      const version = versions[entity] ?? found.version // without an event it was so already
      reply.header('etag', etag(version))
      const now = answer as Omit<z.infer<typeof planned>, 'inventoryItemId' | 'version' | 'syncToken'>
      return { inventoryItemId: id, ...now, version, syncToken: syncToken(entity, version) }
    },
  )

  app.get(
    '/inventory-items/:id/availability',
    {
      schema: {
        summary: 'Is so much of an item available',
        tags,
        params,
        querystring: z.strictObject({
          quantity: z.coerce
            .number({ error: 'must be a whole number' })
            .int('must be a whole number')
            .min(1, 'must be at least 1')
            .max(1_000_000_000, 'must be at most 1000000000')
            .default(1),
          checkAllWarehouses: flagQuery.default(true),
        }),
        response: { 200: z.object({ success: z.literal(true), data: availability }) },
      },
      config: mayAsk,
    },
    async (request) => {
      const { quantity: requestedQuantity, checkAllWarehouses } = request.query
      const { id } = request.params
      const found = await itemOf(db, id)
      if (!found) throw notFound('inventory item', id)
      const levels = found.active
        ? found.levels.filter((level) => checkAllWarehouses || level.inventoryItemId === id)
        : []
      const availableQuantity = levels.reduce((sum, level) => sum + level.available, 0)
      const backordered = levels.reduce((sum, level) => sum + level.backordered, 0)
      const isAvailable = availableQuantity >= requestedQuantity
      // What can be sold beyond what is there is available, but comes with the next goods.
      const isThere = levels.reduce((sum, level) => sum + unitsThere(level), 0) >= requestedQuantity
      const leadTimeEstimate = isThere ? leadTimeOf(levels) : null
      const incoming = found.incoming.filter((one) => levels.some((level) => level.warehouseId === one.warehouseId))
      const restockExpected =
        isThere || !found.active ? null : restockOf(checkAllWarehouses ? found.incoming : incoming)
      return {
        success: true as const,
        data: {
          ...{ isAvailable, availableQuantity, requestedQuantity, leadTimeEstimate, restockExpected },
          ...(backordered > 0 && { backordered }),
        },
      }
    },
  )
}

const byProduct = z.object({
  totalQuantityAvailable: z.int(),
  totalQuantityReserved: z.int(),
  isLowStock: z.boolean(),
  isOutOfStock: z.boolean(),
  warehouseInventory: z.array(
    z.object({
      inventoryItemId: z.string(),
      warehouseId: z.string(),
      warehouseName: z.string(),
      quantityAvailable: z.int(),
      quantityReserved: z.int(),
    }),
  ),
})
const availability = z.object({
  isAvailable: z.boolean(),
  availableQuantity: z.int(),
  requestedQuantity: z.int(),
  leadTimeEstimate: z.string().nullable(),
  restockExpected: z.string().nullable(),
  /** Sold already beyond what is on hand; left out when nothing is. */
  backordered: z.int().optional(),
})
const place = z.strictObject({
  at: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/),
  sku: z.string(),
  version: z.int(),
})

/** Throws `not-found` for a warehouse that is not there. */
async function opened(
  execute: Executor<Command>['execute'],
  { productId, sku, warehouseId }: { productId: string; sku: string; warehouseId: string },
  { actor, correlationId }: CommandOptions,
): Promise<void> {
  const command: Command = { type: 'open', productId, skus: [sku], warehouseIds: [warehouseId] }
  const { answer } = await execute(command, {
    ...(actor !== undefined && { actor }),
    ...(correlationId !== undefined && { correlationId }),
  })
  if ((answer.skippedWarehouses as string[]).length > 0) throw notFound('warehouse', warehouseId)
}
