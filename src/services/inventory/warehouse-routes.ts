/** Warehouses over HTTP: reference data, written without events. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { type App, notFound } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'

const tags = ['warehouses']
const days = z.int('must be a whole number').min(0, 'must not be negative').max(365, 'must be at most 365')
const leadTimeDays = z
  .strictObject({ min: days, max: days })
  .refine(({ min, max }) => min <= max, { path: ['max'], error: 'must not be less than min' })
const fields = {
  name: plainText(200).min(1, 'must not be empty'),
  priority: z.int('must be a whole number').min(-1_000_000).max(1_000_000),
  leadTimeDays,
}
const input = z.strictObject({
  id: identifier,
  name: fields.name.optional(),
  priority: fields.priority.default(0),
  leadTimeDays: leadTimeDays.default({ min: 1, max: 2 }),
})
const patch = z.strictObject(fields).partial().extend({ active: z.boolean().optional() })
const view = z.object({
  id: z.string(),
  name: z.string(),
  priority: z.int(),
  leadTimeDays: z.object({ min: z.int(), max: z.int() }),
  active: z.boolean(),
})

interface Row {
  id: string
  name: string
  priority: number
  lead_time_min: number
  lead_time_max: number
  active: boolean
}

const viewOf = ({ lead_time_min: min, lead_time_max: max, ...row }: Row) => ({ ...row, leadTimeDays: { min, max } })

export function warehouseRoutes(app: App, db: Database): void {
  app.get(
    '/warehouses',
    {
      schema: {
        summary: 'All warehouses, in the order orders take from them',
        tags,
        response: { 200: z.object({ items: z.array(view) }) },
      },
      config: { roles: ['product-service'] },
    },
    async () => {
      const rows = await db<Row>`select * from inventory.warehouses order by priority, id`
      return { items: rows.map(viewOf) }
    },
  )

  app.post(
    '/warehouses',
    {
      schema: { summary: 'Open a warehouse', tags, body: input, response: { 201: view } },
      config: { roles: ['ADMIN'] },
    },
    async (request, reply) => {
      const { id, name = id, priority, leadTimeDays } = request.body
      const [row] = await db<Row>`
        insert into inventory.warehouses (id, name, priority, lead_time_min, lead_time_max)
        values (${id}, ${name}, ${priority}, ${leadTimeDays.min}, ${leadTimeDays.max})
        on conflict (id) do nothing
        returning *`
      if (!row)
        throw new Rejected(
          'already-exists',
          { what: 'warehouse', id },
          `there is a warehouse ${JSON.stringify(id)} already`,
        )
      reply.code(201).header('location', `/v1/warehouses/${encodeURIComponent(id)}`)
      return viewOf(row)
    },
  )

  app.get(
    '/warehouses/:id',
    {
      schema: { summary: 'A warehouse', tags, params: z.strictObject({ id: identifier }), response: { 200: view } },
      config: { roles: ['product-service'] },
    },
    async (request) => {
      const { id } = request.params
      const [row] = await db<Row>`select * from inventory.warehouses where id = ${id}`
      if (!row) throw notFound('warehouse', id)
      return viewOf(row)
    },
  )

  app.patch(
    '/warehouses/:id',
    {
      schema: {
        summary: 'Change a warehouse; one that still holds goods stays in use',
        tags,
        params: z.strictObject({ id: identifier }),
        body: patch,
        response: { 200: view },
      },
      config: { roles: ['ADMIN'] },
    },
    async (request) => {
      const { id } = request.params
      const { name = null, priority = null, leadTimeDays, active = null } = request.body
      return db.begin(async (tx) => {
        // Commands that bring goods in share this lock, so none slips in between the look and the change.
        const [row] = await tx<Row>`
          select *
            from inventory.warehouses
           where id = ${id}
             for update`
        if (!row) throw notFound('warehouse', id)
        if (active === false && row.active) await mustBeEmpty(id, tx)
        const [changed] = await tx<Row>`
          update inventory.warehouses
             set name = coalesce(${name}, name), priority = coalesce(${priority}, priority), active = coalesce(${active}, active),
                 lead_time_min = coalesce(${leadTimeDays?.min ?? null}, lead_time_min),
                 lead_time_max = coalesce(${leadTimeDays?.max ?? null}, lead_time_max)
           where id = ${id}
          returning *`
        return viewOf(changed ?? row)
      })
    },
  )
}

async function mustBeEmpty(id: string, tx: Pick<Database, 'text'>): Promise<void> {
  const [held] = await tx.text<{ sku: string }>(
    'select sku from inventory.levels where warehouse_id = $1 and (on_hand > 0 or reserved > 0) limit 1',
    [id],
  )
  const [awaited] = await tx.text<{ id: string }>(
    "select id from inventory.deliveries where (from_warehouse = $1 or to_warehouse = $1) and status = 'under-way' limit 1",
    [id],
  )
  if (awaited) {
    const message = `goods are under way to it or from it, with delivery ${awaited.id}`
    throw new Rejected('warehouse-not-empty', { id, delivery: awaited.id }, message)
  }
  if (held)
    throw new Rejected(
      'warehouse-not-empty',
      { id, sku: held.sku },
      `the warehouse still holds goods, among them ${held.sku}`,
    )
}
