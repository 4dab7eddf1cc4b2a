/** A customer: what may be said of one from outside, and the form it is kept in. */
import { domainToASCII } from 'node:url'
import { z } from 'zod'
import { identifier, plainText } from '../../engine/text.ts'
import { isCountry } from './countries.ts'
import type { Address, Person } from './events.ts'
import { emailDigest } from './seal.ts'

export const customerEntity = (customerId: string) => `customer/${customerId}`
/** Named after the digest: an entity's name is shown to others. */
export const emailEntity = (email: string) => `email/${emailDigest(email)}`

/** One line of text with something in it, blanks around it taken away. */
const line = (max: number) =>
  plainText(max)
    .refine((text) => !/\p{Cc}/u.test(text), 'must be one line without control characters')
    .transform((text) => text.trim())
    .refine((text) => text !== '', 'must not be blank')

const EMAIL_MAX = 254
const domainPattern = /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/
const advice = 'must be an e-mail address like name@example.com'

/** Its domain becomes lower case and ASCII (`bücher.example` is `xn--bcher-kva.example`); the part before the @ stays as it is. */
export const email = plainText(EMAIL_MAX).transform((text, context) => {
  const [local = '', domain = '', ...more] = text.trim().split('@')
  const host = /^[\p{L}\p{M}\p{N}.-]+$/u.test(domain) ? domainToASCII(domain) : ''
  const normal = `${local}@${host}`
  const plain = /^[^\s\p{C}"(),:;<>[\\\]]{1,64}$/u.test(local)
  if (more.length === 0 && plain && domainPattern.test(host) && normal.length <= EMAIL_MAX) return normal
  context.addIssue({ code: 'custom', message: advice })
  return z.NEVER
})

/** E.164; blanks, dots, dashes and brackets between the digits are taken away. */
const phone = plainText(40)
  .transform((text) => text.replaceAll(/[\s.()/-]/g, ''))
  .refine((text) => /^\+[1-9]\d{6,14}$/.test(text), 'must be a number with its country: + and 7 to 15 digits')

const addressInput = z.strictObject({
  recipient: line(200).optional(),
  lines: z.array(line(200)).min(1, 'must have at least one line').max(4, 'must have at most 4 lines'),
  postalCode: line(20).optional(),
  city: line(200),
  region: line(200).optional(),
  country: z
    .string({ error: 'must be text' })
    .refine(isCountry, 'must be a country of ISO 3166 in two capital letters: DE'),
})

const fields = z.strictObject({
  name: line(200),
  email,
  phone: phone.nullable().optional(),
  addresses: z.array(addressInput).max(20, 'must have at most 20 addresses').optional(),
})

export const personInput = fields
export type PersonInput = z.infer<typeof fields>
export const customerId = identifier

/** Any of the personal fields, as `PATCH /customers/:id` gives them; the list of addresses takes the old one's place as a whole. */
export const personPatch = fields
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one field to change')

export function normalPerson({ name, email, phone = null, addresses = [] }: PersonInput): Person {
  return { name, email, phone, addresses: addresses.map(normalAddress) }
}

/** The given fields in the form they are kept in; those left out stay out. */
export function normalPatch({ name, email, phone, addresses }: Partial<PersonInput>): Partial<Person> {
  return {
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(phone !== undefined && { phone }),
    ...(addresses !== undefined && { addresses: addresses.map(normalAddress) }),
  }
}

const normalAddress = ({
  recipient,
  lines,
  postalCode,
  city,
  region,
  country,
}: z.infer<typeof addressInput>): Address => ({
  ...(recipient !== undefined && { recipient }),
  lines,
  ...(postalCode !== undefined && { postalCode }),
  city,
  ...(region !== undefined && { region }),
  country,
})
