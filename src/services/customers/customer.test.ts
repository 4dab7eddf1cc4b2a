import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { countries } from './countries.ts'
import { email, normalPerson, personInput } from './customer.ts'
import { customerEvents, person, personalFieldsOf } from './events.ts'
import { changesBetween, noPreferences, normalPreferences, preferencesInput, withTimes } from './preferences.ts'
import { newKey, seal, unseal } from './seal.ts'

const least = { name: 'Ida', email: 'ida@example.com' }
const problems = (fields: object) => [
  ...new Set(personInput.safeParse({ ...least, ...fields }).error?.issues.map(({ path }) => path.join('.'))),
]

describe('what is personal', () => {
  test('is all of a person, and marked in the schema', () => {
    expect(personalFieldsOf(person)).toEqual(['name', 'email', 'phone', 'addresses'])
    expect(Object.keys(person.shape)).toEqual(personalFieldsOf(person))
  })
  test('is in no event’s contract', () => {
    for (const contract of Object.values(customerEvents))
      expect(JSON.stringify(z.toJSONSchema(contract))).not.toMatch(/"personal"|"email"|"phone"|"addresses"|"name"/)
  })
})

describe('what may come in', () => {
  test.each([
    ['Ida@Example.COM', 'Ida@example.com'],
    ['  ida+shop@sub.example.co ', 'ida+shop@sub.example.co'],
    ['ida@bücher.example', 'ida@xn--bcher-kva.example'],
    ["o'neil@example.com", "o'neil@example.com"],
  ])('%s is an e-mail address', (given, kept) => {
    expect(email.parse(given)).toBe(kept)
  })
  test.each([
    'ida',
    'ida@',
    '@example.com',
    'a@b@example.com',
    'ida@localhost',
    'ida@1.2.3.4',
    'ida@-x.com',
    'ida@ex ample.com',
    'i\u0000da@example.com',
    'i\nda@example.com',
    'Ida <ida@example.com>',
    'ida@example.com\u202e',
    'ida@%65xample.com',
    `${'x'.repeat(65)}@example.com`,
    `ida@${'x.'.repeat(125)}com`,
  ])('%j is none', (given) => {
    expect(email.safeParse(given).success).toBe(false)
  })
  test('what was once taken as an e-mail address is taken again, as it is', () => {
    const some = fc.oneof(
      fc.emailAddress(),
      fc.string(),
      fc.tuple(fc.string({ unit: 'binary' }), fc.domain()).map((parts) => parts.join('@')),
    )
    fc.assert(
      fc.property(some, (text) => {
        const kept = email.safeParse(text)
        if (kept.success) expect(email.parse(kept.data)).toBe(kept.data)
      }),
      { numRuns: 300 },
    )
  })
  test.each<[string, object, string]>([
    ['an unknown field', { vip: true }, ''],
    ['a blank name', { name: '  ' }, 'name'],
    ['a name of two lines', { name: 'a\nb' }, 'name'],
    ['a phone without its country', { phone: '040 123456' }, 'phone'],
    ['a phone with letters', { phone: '+49 CALL ME NOW' }, 'phone'],
    ['a phone of 16 digits', { phone: '+1234567890123456' }, 'phone'],
    ['a country that is none', { addresses: [{ lines: ['x'], city: 'y', country: 'XX' }] }, 'addresses.0.country'],
    ['a country in small letters', { addresses: [{ lines: ['x'], city: 'y', country: 'de' }] }, 'addresses.0.country'],
    ['an address without a line', { addresses: [{ lines: [], city: 'y', country: 'DE' }] }, 'addresses.0.lines'],
    ['an address without a city', { addresses: [{ lines: ['x'], country: 'DE' }] }, 'addresses.0.city'],
    ['21 addresses', { addresses: Array(21).fill({ lines: ['x'], city: 'y', country: 'DE' }) }, 'addresses'],
  ])('%s is refused', (_what, fields, path) => {
    expect(problems(fields)).toEqual([path])
  })
  test('an input in the form that is kept is kept as it is', () => {
    const kept = normalPerson(personInput.parse({ ...least, phone: '+49 (40) 12-34.567' }))
    expect(kept).toEqual({ ...least, phone: '+49401234567', addresses: [] })
    expect(normalPerson(personInput.parse(kept))).toEqual(kept)
  })
  test('countries are the 249 of the standard', () => {
    const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })
    expect(countries.size).toBe(249)
    expect([...countries].filter((code) => names.of(code) === undefined)).toEqual([])
  })
  test.each<[string, object]>([
    ['a topic nobody knows', { channels: { gossip: [] } }],
    ['a channel nobody has', { channels: { marketing: ['fax'] } }],
    ['a language that is none', { locale: 'not a language' }],
    ['a sentence to remember', { ui: { note: 'call Ida at home' } }],
    ['a consent without the text’s version', { consents: { marketing: { granted: true, source: 'web' } } }],
    [
      'a consent with a time of its own',
      { consents: { m: { granted: true, at: 'x', source: 'web', textVersion: '1' } } },
    ],
  ])('of preferences, %s is refused', (_what, input) => {
    expect(preferencesInput.safeParse(input).success).toBe(false)
  })
  test('preferences differ from what they became in exactly what was changed', () => {
    const wanted = normalPreferences({ channels: { marketing: 'none' }, locale: 'DE-ch', ui: { columns: 3 } })
    const after = withTimes(wanted, noPreferences, 'now')
    expect(after).toEqual({ channels: { marketing: [] }, locale: 'de-CH', ui: { columns: 3 }, consents: {} })
    expect(changesBetween(noPreferences, after).map(({ field }) => field)).toEqual([
      'channels.marketing',
      'ui.columns',
      'locale',
    ])
    expect(changesBetween(after, after)).toEqual([])
  })
  test('a name that every object knows is a name like others', () => {
    const odd = { granted: true, source: 'web', textVersion: '1' }
    const after = withTimes(
      { ...noPreferences, ui: { toString: 1 }, consents: { constructor: odd } },
      noPreferences,
      'now',
    )
    expect(changesBetween(noPreferences, after)).toEqual([
      { field: 'ui.toString', oldValue: null, newValue: 1 },
      { field: 'consents.constructor', oldValue: null, newValue: { ...odd, at: 'now' } },
    ])
    expect(preferencesInput.safeParse(JSON.parse('{"ui":{"__proto__":1}}')).data).not.toHaveProperty('ui.__proto__', 1)
  })
})

describe('what is sealed', () => {
  const someone = fc.record({
    name: fc.string(),
    email: fc.string({ unit: 'binary' }),
    phone: fc.option(fc.string()),
    addresses: fc.array(
      fc.record({ lines: fc.array(fc.string()), city: fc.string(), country: fc.constantFrom('DE', 'SE') }),
    ),
  })

  test('opens with its key as it was, is the same text each time, and with another key does not open', () => {
    fc.assert(
      fc.property(someone, (fields) => {
        const [key, other] = [newKey(), newKey()]
        const sealed = seal(key, fields)
        expect(unseal(key, sealed)).toEqual(fields)
        expect(seal(key, fields)).toBe(sealed)
        expect(seal(other, fields)).not.toBe(sealed)
        expect(() => unseal(other, sealed)).toThrow()
      }),
      { numRuns: 50 },
    )
  })
  test('does not open when a character of it was changed', () => {
    const key = newKey()
    const sealed = seal(key, normalPerson(least))
    const changed = `${sealed.slice(0, 50)}${sealed[50] === 'A' ? 'B' : 'A'}${sealed.slice(51)}`
    expect(() => unseal(key, changed)).toThrow()
  })
})
