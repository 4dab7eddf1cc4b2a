import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { createTestDatabase } from '../database.ts'
import type { CheckoutHostSettings } from './checkout-host.ts'

const hosts = new Set<ReturnType<typeof fork>>()
afterAll(() => hosts.forEach((host) => void host.kill('SIGKILL')))

/** Resolves with how it ended. */
async function host(settings: CheckoutHostSettings, failpoints = ''): Promise<NodeJS.Signals | number> {
  const child = fork(fileURLToPath(new URL('./checkout-host.ts', import.meta.url)), {
    execArgv: [],
    env: {
      PATH: process.env.PATH,
      CHAOS_LOG: process.env.CHAOS_LOG,
      CHECKOUT_HOST: JSON.stringify(settings),
      LOCKSTEP_FAILPOINTS: failpoints,
    },
  })
  hosts.add(child)
  const [code, signal] = await once(child, 'exit')
  hosts.delete(child)
  return (signal ?? code) as NodeJS.Signals | number
}

/** The sentences that are wrong of money, stock and carts, against the checkouts that were completed. */
async function wrong(url: string): Promise<string[]> {
  const db = openDatabase(url)
  const rows = await db<{ wrong: string }>`
    with bought as (
      select c.id, c.status, c.state -> 'subject' ->> 'payment' as payment, o.status as ordered
      from   checkout.checkouts c left join orders.orders o on o.id = c.id
    )
    select format('%s is %s', id, status) as wrong from bought where status not in ('completed', 'compensated')
    union all
    select format('%s is %s and its order %s', id, status, ordered)
    from   bought
    where  case status when 'completed' then ordered is distinct from 'paid' else ordered <> 'cancelled' end
    union all
    select format('payment %s of %s holds %s, took %s, gave back %s', b.id, c.id, b.authorised, b.captured, b.refunded)
    from   payments.book b left join bought c on c.payment = b.id and c.status = 'completed'
    where  b.captured - b.refunded <> case when c.id is null then 0 else 2000 end
       or  (b.authorised > 0 and b.captured = 0 and not b.voided)
    union all
    select format('%s is completed without its payment', c.id)
    from   bought c where c.status = 'completed' and not exists (select from payments.book b where b.id = c.payment)
    union all
    select format('%s on hand, %s reserved, %s completed', l.on_hand, l.reserved, n)
    from   inventory.levels l, (select count(*) as n from bought where status = 'completed')
    where  l.on_hand <> 1000 - 2 * n or l.reserved <> 0
    union all
    select format('%s is %s, its cart %s, the customer’s %s', c.id, c.status, guest.cart, mine.cart)
    from   checkout.checkouts c
    join   carts.carts guest on guest.id = 'guest-' || c.id
    join   carts.carts mine  on mine.id  = 'mine-'  || c.id
    where  case c.status
             when 'completed' then guest.cart ->> 'boughtBy' is distinct from c.id or json_array_length(mine.cart -> 'lines') > 0
             else guest.cart ->> 'inCheckout' is not null or mine.cart -> 'lines' -> 0 ->> 'quantity' is distinct from '2'
           end`
  const findings = await verifyInventory(db)
  await db.close()
  return [...rows.map((row) => row.wrong), ...findings.map((finding) => JSON.stringify(finding))]
}

/** Where the provider has answered, where a step is committed, and within and right behind the transactions that carry steps out. */
const forward = [
  'checkout-reserve-reported=kill@3',
  'checkout-authorise-done=kill@3',
  'checkout-authorise-reported=kill@3',
  'checkout-confirm-reported=kill@3',
  'checkout-capture-done=kill@3',
  'checkout-capture-reported=kill@3',
  ...[21, 22, 23, 24].flatMap((nth) => [`after-append=kill@${nth}`, `committed=kill@${nth}`]),
]
const back = ['capture', 'confirm', 'authorise', 'reserve'].map((step) => `checkout-${step}-undone=kill@3`)

test.each([
  ...forward.map((point) => [point, 'tok_visa', 'completed'] as const),
  ...back.map((point) => [point, 'tok_forget_capture', 'compensated'] as const),
  ['checkout-authorise-reported=kill@3', 'tok_decline', 'compensated'] as const,
])(
  'killed at %s with %s, the next process goes on from there: every checkout is %s, nothing is sold or taken twice, nor in another cart too',
  async (failpoint, token, status) => {
    const { url } = await createTestDatabase()
    const begin = Array.from({ length: 6 }, (_, n) => ({ id: `c${n}`, token }))
    expect(await host({ url, begin, sku: 'KIT' }, failpoint)).toBe('SIGKILL')
    // A caller without an answer sends his request again, under the same key.
    expect(await host({ url, begin, sku: 'KIT' })).toBe(0)
    expect(await wrong(url)).toEqual([])
    const db = openDatabase(url)
    const rows = await db<{ id: string; status: string }>`select id, status from checkout.checkouts order by id`
    await db.close()
    expect(rows.map((row) => row.status)).toEqual(Array(6).fill(status))
  },
  120_000,
)

test.each([
  'checkout-confirm-reported=kill@3',
  'checkout-authorise-done=kill@3',
  'checkout-reserve-reported=kill@9',
])('killed at %s while goods are reserved anew, because they had expired: each is sold and paid once, none is held twice', async (failpoint) => {
  const { url } = await createTestDatabase()
  const begin = Array.from({ length: 6 }, (_, n) => ({ id: `c${n}`, token: 'tok_visa' }))
  expect(await host({ url, begin, sku: 'KIT', slow: true }, failpoint)).toBe('SIGKILL')
  expect(await host({ url, begin, sku: 'KIT', slow: true })).toBe(0)
  expect(await wrong(url)).toEqual([])
  const db = openDatabase(url)
  const rows = await db<{ status: string; round: number }>`
      select status, (state -> 'checkout' -> 'steps' -> 0 ->> 'round')::int as round from checkout.checkouts`
  await db.close()
  expect(rows).toEqual(Array(6).fill({ status: 'completed', round: 2 }))
}, 120_000)

test('killed again and again at any step, with cards of every kind, all comes to a good end', async () => {
  const { url } = await createTestDatabase()
  const tokens = [
    'tok_visa',
    'tok_decline',
    'tok_timeout',
    'tok_lost_capture',
    'tok_deny_capture',
    'tok_lie',
    'tok_twice',
  ]
  const begin = Array.from({ length: 14 }, (_, n) => ({ id: `c${n}`, token: tokens[n % tokens.length] as string }))
  const points = [
    'checkout-reserve-reported',
    'checkout-authorise-done',
    'checkout-capture-done',
    'checkout-authorise-undone',
  ]
  for (const [n, point] of points.entries()) await host({ url, begin, sku: 'KIT' }, `${point}=kill@${n + 1}`)
  expect(await host({ url, begin, sku: 'KIT' })).toBe(0)
  expect(await wrong(url)).toEqual([])
}, 120_000)
