/** How fast this machine is at this moment: one `select … for update` transaction an order, as many shops write it, on the server that is measured on. */
import { type Database, openDatabase } from '../src/engine/database.ts'

export const CONNECTIONS = 8
/** What the machine did that the goals were set on. */
export const REFERENCE = 1_440
const ORDERS = 1_000
const STOCK = 10_000_000

/** Tables for those who do no more than count and note an order. */
export async function openRivals(url: string, skus: string[]): Promise<Database> {
  const db = openDatabase(url, { name: 'lockstep bench', max: CONNECTIONS })
  await db`drop table if exists rival, rival_orders`
  await db`create table rival (sku text primary key, on_hand bigint not null check (on_hand >= 0)) with (fillfactor = 50)`
  await db`create table rival_orders (id bigint generated always as identity primary key, sku text not null, quantity int not null)`
  await db`insert into rival select unnest(${skus}::text[]), ${STOCK}`
  return db
}

export async function forUpdate(db: Database, sku: string): Promise<void> {
  await db.begin(async (tx) => {
    const [row] = await tx<{ on_hand: number }>`select on_hand from rival where sku = ${sku} for update`
    if ((row?.on_hand ?? 0) < 1) throw new Error('sold out')
    await tx`update rival set on_hand = on_hand - 1 where sku = ${sku}`
    await tx`insert into rival_orders (sku, quantity) values (${sku}, 1)`
  })
}

/** Such orders of one hot SKU, a second. */
export async function yardstick(url: string): Promise<number> {
  const db = await openRivals(url, ['HOT'])
  const some = async (orders: number) => {
    const begun = performance.now()
    let left = orders
    const buy = async () => {
      while (left-- > 0) await forUpdate(db, 'HOT')
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, buy))
    return orders / ((performance.now() - begun) / 1_000)
  }
  await some(ORDERS / 4)
  const perSecond = await some(ORDERS)
  await db`drop table rival, rival_orders`
  await db.close()
  return perSecond
}
