import { describe, expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type Active, type CustomersFact, customersDecider } from './decider.ts'
import { customerEvents, type Person } from './events.ts'
import { type NormalPreferences, noPreferences } from './preferences.ts'
import { emailDigest, newKey, unseal } from './seal.ts'

const before = '2026-01-01T00:00:00.000Z'
const now = new Date('2026-01-02T00:00:00.000Z')
const at = now.toISOString()
const { given } = specification(customersDecider, now)

const key = newKey()
const ida: Person = { name: 'Ida', email: 'ida@example.com', phone: null, addresses: [] }
const entity = 'customer/c1'
const stored: Active = {
  id: 'c1',
  person: ida,
  key,
  preferences: noPreferences,
  createdAt: before,
  updatedAt: before,
  erasedAt: null,
}
const created: CustomersFact = { type: 'customer.created', entity, customer: stored }
const claimed = (email: string, customerId = 'c1'): CustomersFact => ({
  type: 'email.claimed',
  entity: `email/${emailDigest(email)}`,
  customerId,
})
const freed = (email: string): CustomersFact => ({ type: 'email.freed', entity: `email/${emailDigest(email)}` })
const erased: CustomersFact = { type: 'customer.erased', entity, at }
const ofIda = [created, claimed(ida.email)]
const create = { type: 'create', customerId: 'c1', person: ida, preferences: noPreferences, key } as const
const update = (fields: Partial<Person>) => ({ type: 'update', customerId: 'c1', fields }) as const
const erase = { type: 'erase', customerId: 'c1' } as const

describe('creating', () => {
  test('a new customer owns the address, and nothing personal is told', () => {
    const { events } = given()
      .when(create)
      .then({ ...created, customer: { ...stored, createdAt: at, updatedAt: at } }, claimed(ida.email))
      .answers({ id: 'c1', version: 1 })
    expect(JSON.stringify(events)).not.toContain('Ida')
    expect(events).toMatchObject([{ type: 'customer.created', key: entity, data: { customer: { status: 'active' } } }])
    expect(unseal(key, events[0]?.data.customer.sealed)).toEqual(ida)
  })
  test('an id in use and an address of somebody else are refused, upper case or not', () => {
    given(...ofIda)
      .when(create)
      .rejected('already-exists', { id: 'c1' })
    given(claimed('IDA@example.com', 'c2')).when(create).rejected('email-taken', { customerId: 'c2' })
  })
})

describe('updating', () => {
  test('names the fields that changed, not what they were', () => {
    const { events } = given(...ofIda)
      .when(update({ name: 'Ida Berg', phone: null, addresses: [{ lines: ['Kaj 3'], city: 'Malmö', country: 'SE' }] }))
      .answers({ id: 'c1', version: 2 })
    expect(events).toMatchObject([{ type: 'customer.updated', version: 2, data: { fields: ['name', 'addresses'] } }])
  })
  test('what changes nothing is no event and no version', () => {
    given(...ofIda)
      .when(update({ ...ida }))
      .then()
      .answers({ id: 'c1', version: 1 })
  })
  test('a new address frees the old one; other letters of the same one claim nothing', () => {
    const { facts } = given(...ofIda).when(update({ email: 'berg@example.com' }))
    expect(facts.slice(1)).toEqual([freed(ida.email), claimed('berg@example.com')])
    expect(given(...ofIda).when(update({ email: 'Ida@example.com' })).facts).toHaveLength(1)
  })
})

describe('declining', () => {
  const decline = { type: 'decline', customerId: 'c1', topic: 'marketing' } as const
  const preferring = (channels: Record<string, string[]>): CustomersFact => ({
    type: 'customer.preferences.updated',
    entity,
    preferences: { ...noPreferences, locale: 'de', channels },
    changes: [],
    at,
  })
  test.each<[string, Record<string, string[]>, Record<string, string[]>]>([
    ['nothing', {}, { marketing: [] }],
    ['e-mail', { marketing: ['email'] }, { marketing: [] }],
    [
      'several channels and topics',
      { marketing: ['email', 'push'], newsletter: ['email'] },
      { marketing: ['push'], newsletter: ['email'] },
    ],
  ])('takes e-mail away from who chose %s, and nothing else', (_what, before, after) => {
    const { events } = given(...ofIda, preferring(before))
      .when(decline)
      .answers({ id: 'c1', version: 3 })
    expect(events).toMatchObject([
      { type: 'customer.preferences.updated', data: { customer: { preferences: { channels: after, locale: 'de' } } } },
    ])
  })
  test('twice is once', () => {
    given(...ofIda, preferring({ marketing: ['push'] }))
      .when(decline)
      .then()
      .answers({ id: 'c1', version: 2 })
  })
  test('is too late for who was erased', () => {
    given(...ofIda, erased)
      .when(decline)
      .rejected('customer-erased')
  })
})

describe('preferring', () => {
  const wanted: NormalPreferences = {
    channels: { marketing: ['email'] },
    locale: 'de-CH',
    ui: {},
    consents: { marketing: { granted: true, source: 'web', textVersion: '1' } },
  }
  const prefer = (preferences: NormalPreferences) => ({ type: 'prefer', customerId: 'c1', preferences }) as const

  test('tells each change, and a consent has the time it was given', () => {
    const consent = { granted: true, at, source: 'web', textVersion: '1' }
    const { events } = given(...ofIda)
      .when(prefer(wanted))
      .answers({ id: 'c1', version: 2 })
    expect(events[0]?.data.changes).toEqual([
      { field: 'channels.marketing', oldValue: null, newValue: ['email'] },
      { field: 'consents.marketing', oldValue: null, newValue: consent },
      { field: 'locale', oldValue: null, newValue: 'de-CH' },
    ])
  })
  test('said again later is no change; a consent taken back has the later time', () => {
    const later = new Date('2026-03-01T00:00:00.000Z')
    const back = { ...wanted, consents: { marketing: { granted: false, source: 'web', textVersion: '1' } } }
    given(...ofIda)
      .when(prefer(wanted))
      .when(prefer(wanted), later)
      .then()
      .when(prefer(back), later)
      .answers({ id: 'c1', version: 3 })
  })
})

describe('erasing', () => {
  test('takes person, key and preferences, and frees the address', () => {
    const { events } = given(...ofIda)
      .when(erase)
      .then(erased, freed(ida.email))
      .leaves(entity, { ...stored, person: null, key: null, updatedAt: at, erasedAt: at }, 2)
    expect(events[0]?.data).toMatchObject({ customer: { status: 'erased', sealed: null } })
  })
  test('twice is no change, and nothing else is possible afterwards', () => {
    const gone = given(...ofIda, erased, freed(ida.email))
    gone.when(erase).then().answers({ id: 'c1', version: 2 })
    gone.when(update({ name: 'Back' })).rejected('customer-erased')
    gone.when(create).rejected('customer-erased')
    given().when(erase).rejected('not-found', { what: 'customer', id: 'c1' })
  })
})

test('every event is as its contract says', () => {
  const { events } = given().when(create)
  const all = [
    ...events,
    ...given(...ofIda).when(update({ name: 'B' })).events,
    ...given(...ofIda).when({
      type: 'prefer',
      customerId: 'c1',
      preferences: { ...noPreferences, consents: {}, locale: 'de' },
    }).events,
    ...given(...ofIda).when(erase).events,
  ]
  expect(all.map(({ type }) => type)).toEqual(Object.keys(customerEvents))
  for (const { type, data } of all) customerEvents[type as keyof typeof customerEvents].parse(data)
})
