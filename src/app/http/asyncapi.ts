/** The AsyncAPI 3.0 document: every event the sources tell, made from their contracts. docs/asyncapi.json is a copy that a test keeps. */
import { z } from 'zod'
import { cartEvents } from '../../services/carts/events.ts'
import { catalogEvents } from '../../services/catalog/events.ts'
import { checkoutEvents } from '../../services/checkout/events.ts'
import { collectionEvents } from '../../services/collections/events.ts'
import { customerEvents } from '../../services/customers/events.ts'
import { inventoryEvents } from '../../services/inventory/events.ts'
import { mediaEvents } from '../../services/media/events.ts'
import { orderEvents } from '../../services/orders/events.ts'
import { pricingEvents } from '../../services/pricing/events.ts'
import { seoEvents } from '../../services/seo/events.ts'

/** The sources' contracts. A source's events.ts has its line here. */
const contracts: Record<string, Record<string, z.ZodType>> = {
  catalog: catalogEvents,
  inventory: inventoryEvents,
  orders: orderEvents,
  checkout: checkoutEvents,
  carts: cartEvents,
  pricing: pricingEvents,
  customers: customerEvents,
  collections: collectionEvents,
  media: mediaEvents,
  seo: seoEvents,
}

export interface AsyncApi {
  asyncapi: '3.0.0'
  info: { title: string; version: string; description: string }
  defaultContentType: string
  channels: Record<string, object>
  operations: Record<string, object>
  components: {
    messages: Record<string, object>
    /** `event` is what all have in common; each type's name is what it carries in `data`. */
    schemas: Record<string, JsonSchema>
  }
}
export type JsonSchema = { [keyword: string]: unknown }

export function asyncApi(version: string): AsyncApi {
  const sources = Object.entries(contracts)
  const types = sources.flatMap(([, events]) => Object.keys(events))
  const each = <Value>(names: string[], value: (name: string) => Value) =>
    Object.fromEntries(names.map((name) => [name, value(name)]))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Lockstep',
      version,
      description:
        'The events of the log, in commit order, gapless; a key’s events keep their order. One may be delivered again: its entity and version, or its id, tell. ' +
        'A field that you do not know is to be ignored: optional ones are added without notice.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      sources.map(([source, events]) => [
        source,
        {
          title: `What ${source} tells`,
          description: 'In the log: followed by a projection or a reaction, read by GET /v1/events.',
          messages: each(Object.keys(events), (type) => ({ $ref: `#/components/messages/${type}` })),
        },
      ]),
    ),
    operations: each(Object.keys(contracts), (source) => ({
      action: 'send',
      channel: { $ref: `#/channels/${source}` },
    })),
    components: {
      messages: each(types, (type) => ({
        name: type,
        contentType: 'application/json',
        correlationId: { location: '$message.payload#/meta/correlationId' },
        payload: {
          allOf: [
            { $ref: '#/components/schemas/event' },
            {
              type: 'object',
              properties: { type: { const: type }, data: { $ref: `#/components/schemas/${type}` } },
            },
          ],
        },
      })),
      schemas: {
        event: jsonSchema(event),
        ...Object.assign({}, ...sources.map(([, events]) => each(Object.keys(events), (type) => dataOf(events, type)))),
      },
    },
  }
}

/** As `GET /v1/events` shows it. */
const event = z.object({
  position: z.int().min(1).describe('Place in the log: gapless, in commit order.'),
  id: z.uuid().describe('UUID v7.'),
  type: z.string(),
  key: z.string().describe('What is kept in sync: a product’s id. Order holds per key.'),
  entity: z.string().describe('Whose state it is: product/123, stock/KIT-1.'),
  version: z.int().min(1).describe('How many events the entity has had, this one included.'),
  source: z.string(),
  at: z.iso.datetime().describe('The database’s clock at append.'),
  data: z.looseObject({}).describe('The state after the event, and what the type adds to it.'),
  meta: z.object({
    correlationId: z.string().optional(),
    causationId: z.string().optional(),
    actor: z.string().optional(),
    traceparent: z.string().optional(),
  }),
})

const dataOf = (events: Record<string, z.ZodType>, type: string) => jsonSchema(events[type] as z.ZodType)

/** Sources write what is in the contract and nothing else; readers must bear more, or no field could ever be added. */
function jsonSchema(contract: z.ZodType): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(contract, {
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return schema
}
