/** What fails, fails alone: one bad product of fifty is retried, becomes a dead letter, and is healed by its next version, or by hand. */
import { listFailures, retryFailure, syncStatus } from '../src/index.ts'
import { shelf } from './shelf.ts'
import { openShop } from './shop.ts'

await using shop = await openShop(shelf)
const { engine } = shop
const onShelf = async () => {
  const [row] = await engine.db<{ n: number }>`select count(*)::int as n from shelf`
  return row?.n
}
const tell = async (key: string) => console.log(`${key}: ${(await syncStatus(engine.db, key)).overallStatus}`)

const good = Array.from({ length: 48 }, (_, n) => shop.put(`mug-${n}`, `Mug ${n}`))
const bad = [
  shop.put('lamp', 'Lamp with a title that is too long'),
  shop.put('vase', 'Vase with a title that is too long'),
]
await Promise.all([...good, ...bad])
await engine.settle()
console.log(`${await onShelf()} of 50 are on the shelf`)
const dead = await listFailures(engine.db, { consumer: 'shelf' }, undefined, 10)
for (const { key, attempts, error } of dead.sort((a, b) => a.key.localeCompare(b.key)))
  console.log(`dead letter: ${key} after ${attempts} tries: ${error.slice(error.indexOf('violates'))}`)
await tell('lamp')

// Its next version works, and that is that.
await shop.put('lamp', 'Oak lamp')
await engine.settle()
await tell('lamp')

// Or what was wrong is put right, and the dead letter is tried again by hand.
await engine.db`alter table shelf drop constraint shelf_title_check`
const [left] = await listFailures(engine.db, { key: 'vase' }, undefined, 1)
await retryFailure(engine.db, left?.id ?? 0)
engine.refresh()
await engine.settle()
await tell('vase')
console.log(`${await onShelf()} of 50 are on the shelf`)

/* Prints:
48 of 50 are on the shelf
dead letter: lamp after 3 tries: violates check constraint "shelf_title_check"
dead letter: vase after 3 tries: violates check constraint "shelf_title_check"
lamp: partial-failure
lamp: completed
vase: completed
50 of 50 are on the shelf
*/
