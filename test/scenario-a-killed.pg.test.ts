/** Document A, section 5, when a process dies: a rule changed over many products is evaluated to its end by whoever is left. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { collectionsProjection } from '../src/services/collections/collections-projection.ts'
import { readCollection } from '../src/services/collections/read.ts'
import { collectionsService } from '../src/services/collections/service.ts'
import { testEngine } from '../src/testing.ts'
import { createTestDatabase } from './database.ts'
import { productEvent } from './made-events.ts'

const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

function evaluator(url: string): ChildProcess {
  const file = fileURLToPath(new URL('./scenario-a-evaluator.ts', import.meta.url))
  const child = fork(file, { execArgv: [], env: { PATH: process.env.PATH, SCENARIO_URL: url } })
  children.add(child)
  return child
}

test('killed in the middle, an evaluation goes on in another process; each product is moved and told exactly once', {
  timeout: 120_000,
}, async () => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (to) => [collectionsService(to)] as const)
  await using _ = engine
  const [collections] = services
  const projection = collectionsProjection()
  const products = 9_000
  for (let at = 0; at < products; at += 3_000) {
    const page = Array.from({ length: 3_000 }, (_, n) =>
      productEvent(`p${at + n}`, 1, { tags: [(at + n) % 3 ? 'b' : 'a'] }),
    )
    await engine.db.begin((tx) => projection.apply(page, tx))
  }
  const rule = { field: 'tag', operator: 'equals', value: 'a' } as const
  await collections.execute({ type: 'create', id: 'a', fields: { title: 'A', rule } })

  const seen: number[] = []
  const done = async () => {
    const { evaluating } = await readCollection(engine.db, 'a')
    const now = evaluating?.done ?? products
    seen.push(now)
    return now
  }
  const first = evaluator(url)
  await expect.poll(done, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(2_000)
  first.kill('SIGKILL')
  await once(first, 'exit')
  const left = await done()
  expect(left).toBeLessThan(products)
  // The second changes its mind half-way: what was being done for the old rule ends there.
  const second = evaluator(url)
  await expect.poll(done, { timeout: 60_000, interval: 5 }).toBeGreaterThan(left)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  await collections.execute({ type: 'change', id: 'a', fields: { rule: { not: rule } } })
  await expect
    .poll(async () => (await readCollection(engine.db, 'a')).evaluating, { timeout: 60_000, interval: 20 })
    .toBeUndefined()
  second.kill('SIGKILL')

  const [sums] = await engine.db`
    select (select count(*) from collections.members) as members,
           (select count(*) from collections.members m join collections.askable p using (product_id)
             where p.facts -> 'tag' ? 'a') as wrong,
           (select count(*) filter (where type = 'collection.product.added')
                 - count(*) filter (where type = 'collection.product.removed') from lockstep.events) as balance,
           (select count(*) from (
              select entity, count(*) as events, max(version) as last from lockstep.events where entity like 'membership/%' group by 1
            ) as each where events <> last) as gaps`
  const members = (products / 3) * 2
  expect(sums).toEqual({ members, wrong: 0, balance: members, gaps: 0 })
})
