import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { normalPerson } from './customer.ts'
import type { CustomersCommand } from './decider.ts'
import type { Person } from './events.ts'
import { noPreferences, normalPreferences } from './preferences.ts'
import { listCustomers, readCustomer } from './read.ts'
import { newKey } from './seal.ts'
import { type CustomersService, customersService } from './service.ts'

interface Shop {
  engine: TestEngine
  customers: CustomersService
}

let shops: Shop[]
let url: string

/** One more process on the same database. */
async function open(): Promise<Shop> {
  const { engine, services } = await testEngine(url, (engine) => [customersService(engine)] as [CustomersService])
  const shop = { engine, customers: services[0] }
  shops.push(shop)
  return shop
}

let shop: Shop
beforeEach(async () => {
  shops = []
  url = (await createTestDatabase()).url
  shop = await open()
})
afterEach(async () => {
  const findings = await shop.customers.verify(shop.engine.db)
  await Promise.all(shops.map(({ engine }) => engine.close()))
  expect(findings).toEqual([])
})

const create = (customerId: string, email = `${customerId}@example.com`): CustomersCommand => ({
  type: 'create',
  customerId,
  person: normalPerson({ name: `Customer ${customerId}`, email }),
  preferences: noPreferences,
  key: newKey(),
})
const update = (customerId: string, fields: Partial<Person>): CustomersCommand => ({
  type: 'update',
  customerId,
  fields,
})
const erase = (customerId: string): CustomersCommand => ({ type: 'erase', customerId })
const run = (command: CustomersCommand, { customers } = shop) => customers.execute(command)
const kept = (id: string) => readCustomer(shop.engine.db, id)
const log = () =>
  shop.engine.db<{ type: string; entity: string; version: number; transaction: string }>`
    select type, entity, version, xmin::text as transaction from lockstep.events order by position`
const codes = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'done' : outcome.reason.code))

describe('customers', () => {
  test('are read as they were written, whatever is in their text', async () => {
    const odd = { name: '"\\{},NULL\u2028é😀', email: 'o{d}d@example.com', phone: null }
    const addresses = [{ recipient: '-', lines: ['NULL', '{}'], city: '"', country: 'DE' }]
    const preferences = normalPreferences({ channels: { marketing: 'none' }, ui: { theme: 'null', columns: 3 } })
    await run({ ...create('odd'), person: { ...odd, addresses }, preferences } as CustomersCommand)
    expect(await kept('odd')).toMatchObject({ ...odd, addresses, preferences, version: 1 })
  })

  test('created, changed and erased in one batch are one row, three versions and no key', async () => {
    await Promise.all([run(create('c')), run(update('c', { phone: '+4940123456' })), run(erase('c'))])
    expect(await kept('c')).toMatchObject({ status: 'erased', name: null, version: 3 })
    const events = await log()
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3])
    expect(new Set(events.map(({ transaction }) => transaction)).size).toBe(1)
    expect(await shop.engine.db`select from customers.keys`).toHaveLength(0)
  })

  test('two processes that create the same ids at once make one customer of each, with one key', async () => {
    const second = await open()
    const ids = Array.from({ length: 20 }, (_, n) => `c${n}`)
    const outcomes = await Promise.allSettled(
      ids.flatMap((id) => [run(create(id, `a${id}@x.example`)), run(create(id, `b${id}@x.example`), second)]),
    )
    expect(codes(outcomes).sort()).toEqual([...Array(20).fill('already-exists'), ...Array(20).fill('done')])
    expect((await log()).map(({ version }) => version)).toEqual(Array(20).fill(1))
  })

  test('that one process changes while another erases them are whole before and gone after', async () => {
    const second = await open()
    const ids = Array.from({ length: 20 }, (_, n) => `c${n}`)
    await Promise.all(ids.map((id) => run(create(id))))
    const outcomes = await Promise.allSettled(
      ids.flatMap((id) => [run(update(id, { email: `new-${id}@example.com` })), run(erase(id), second)]),
    )
    expect(new Set(codes(outcomes)).isSubsetOf(new Set(['done', 'customer-erased']))).toBe(true)
    const all = await listCustomers(shop.engine.db, { limit: 100 })
    expect(all.map(({ status, name }) => [status, name])).toEqual(Array(20).fill(['erased', null]))
    expect(await shop.engine.db`select from customers.emails`).toHaveLength(0)
  })

  test('one held by somebody else does not hold up its neighbours', async () => {
    await run(create('held'))
    await run(create('free'))
    const holder = await shop.engine.db.reserve()
    try {
      await holder`begin`
      await holder`select from customers.customers where id = 'held' for update`
      const waiting = run(update('held', { name: 'Late' }))
      await run(update('free', { name: 'Early' }))
      expect((await kept('free'))?.name).toBe('Early')
      await holder`rollback`
      expect((await waiting).answer).toEqual({ id: 'held', version: 2 })
    } finally {
      holder.release()
    }
  })

  test('a hundred changes of one are a hundred versions, each opened by its key', async () => {
    await run(create('busy'))
    await Promise.all(Array.from({ length: 100 }, (_, n) => run(update('busy', { name: `Name ${n}` }))))
    expect(await kept('busy')).toMatchObject({ name: 'Name 99', version: 101 })
  })
})

describe('e-mail addresses', () => {
  test('two processes that claim the same ones at once leave each with one owner', async () => {
    const second = await open()
    const addresses = Array.from({ length: 20 }, (_, n) => `a${n}@example.com`)
    const outcomes = await Promise.allSettled(
      addresses.flatMap((email, n) => [run(create(`x${n}`, email)), run(create(`y${n}`, email), second)]),
    )
    expect(codes(outcomes).sort()).toEqual([...Array(20).fill('done'), ...Array(20).fill('email-taken')])
  })

  test('pass from one customer to another, within a batch as well', async () => {
    await run(create('first', 'shared@example.com'))
    await Promise.all([
      run(update('first', { email: 'own@example.com' })),
      run(create('second', 'shared@example.com')),
      run(erase('second')),
      run(create('third', 'Shared@example.com')),
    ])
    const [found] = await listCustomers(shop.engine.db, { email: 'SHARED@example.com', limit: 1 })
    expect(found).toMatchObject({ id: 'third', email: 'Shared@example.com' })
  })
})
