/** What customers tell: the contracts of their events, and which fields of a customer are personal. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

/** Marks a field as personal: it is sealed wherever it is kept, and unreadable everywhere once its customer is erased (E, Data Privacy). */
export const personal = <Schema extends z.ZodType>(schema: Schema): Schema => schema.meta({ personal: true }) as Schema

/** The fields of an object that are marked. */
export const personalFieldsOf = (object: z.ZodObject): string[] =>
  Object.entries(object.shape).flatMap(([name, field]) => ((field as z.ZodType).meta()?.personal ? [name] : []))

export const address = z.strictObject({
  recipient: z.string().optional(),
  lines: z.array(z.string()),
  postalCode: z.string().optional(),
  city: z.string(),
  region: z.string().optional(),
  country: z.string(),
})
export type Address = z.infer<typeof address>

/** What of a customer is personal. It is in no event: there `sealed` stands for all of it. */
export const person = z.strictObject({
  name: personal(z.string()),
  email: personal(z.string()),
  phone: personal(z.string().nullable()),
  addresses: personal(z.array(address)),
})
export type Person = z.infer<typeof person>

/** That somebody agreed to something, or took it back: when, where, and to which version of the text. */
export const consent = z.strictObject({
  granted: z.boolean(),
  at: z.string(),
  source: z.string(),
  textVersion: z.string(),
})
export type Consent = z.infer<typeof consent>

export const preferences = z.strictObject({
  /** By topic (`order_status`, `marketing` …) the channels wanted: email, sms, push. An empty list: none. */
  channels: z.record(z.string(), z.array(z.string())),
  locale: z.string().nullable(),
  /** Words, numbers and switches that a user interface remembers: `theme: dark`. */
  ui: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  /** By purpose. One that is not there was never asked for, or no longer stands. */
  consents: z.record(z.string(), consent),
})
export type Preferences = z.infer<typeof preferences>

/** A customer as events carry it. */
export const customer = z.strictObject({
  id: z.string(),
  status: z.enum(['active', 'erased']),
  /** The personal fields, encrypted with the customer's own key; null once erased. See `seal.ts`. */
  sealed: z.string().nullable(),
  preferences,
  createdAt: z.string(),
  updatedAt: z.string(),
  erasedAt: z.string().nullable(),
})
export type Customer = z.infer<typeof customer>

/** key and entity = `customer/<id>`: no product's id has a slash, so a customer never shares a product's key. */
export const customerEvents = {
  'customer.created': z.strictObject({ customer }),
  /** `fields` are the names of those that changed: `email`, `addresses`. */
  'customer.updated': z.strictObject({ customer, fields: z.array(z.string()) }),
  'customer.preferences.updated': z.strictObject({ customer, changes: z.array(fieldChange) }),
  'customer.erased': z.strictObject({ customer }),
}
