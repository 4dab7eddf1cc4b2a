/**
 * The disk of the database fills up, on one of 400 MB (PROOF has 200, of which the program sets half aside), under a
 * load of four callers.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { caughtUp, until } from './ownership.ts'
import { type Answer, type Program, startProgram } from './program.ts'
import { seededTest } from './seed.ts'
import { makeSmallDisk, type SmallDisk } from './small-disk.ts'

const MEGABYTES = 400
const CALLERS = 4

/** The program and its database on a disk of its own, and a few products. */
async function scene() {
  const disk = await makeSmallDisk(MEGABYTES)
  const program = await startProgram({ within: disk.within, settings: { LOCKSTEP_DATA: disk.directory } })
  for (let n = 0; n < 4; n++) expect((await program.call('/products', 'POST', lamp(`first-${n}`))).status).toBe(201)
  return { disk, program, db: openDatabase(await urlOf(disk, program), { name: 'a stranger' }) }
}

const lamp = (id: string) => ({
  id,
  title: `Lamp ${id}`,
  description: 'bright '.repeat(500),
  variants: [{ sku: id, price: { amount: 1_999, currency: 'EUR' } }],
})

async function urlOf(disk: SmallDisk, { pid }: Program): Promise<string> {
  const data = `${disk.seenThrough(pid)}/postgres/data`
  const [pidFile, password] = await Promise.all(
    ['postmaster.pid', 'lockstep.password'].map((name) => readFile(`${data}/${name}`, 'utf8')),
  )
  return `postgres://lockstep:${password}@127.0.0.1:${pidFile?.split('\n')[3]}/lockstep`
}

/** Callers who create one product after the other, each until its outcome is known, and every answer but a 201. */
function startCallers(program: Program) {
  const created: string[] = []
  const refusals: Answer[] = []
  let stopped = false
  const caller = async (who: number) => {
    for (let n = 0; !stopped; n++) {
      const key = `c${who}-${n}`
      const headers = { 'idempotency-key': key, 'x-correlation-id': key }
      for (;;) {
        const answer = await program.call('/products', 'POST', lamp(key), headers)
        if (answer.status === 201) break
        refusals.push(answer)
        await pause(50)
      }
      created.push(key)
      await pause(20)
    }
  }
  const all = Promise.all(Array.from({ length: CALLERS }, (_, who) => caller(who)))
  all.catch(() => {})
  return {
    created,
    refusals,
    async finish() {
      stopped = true
      await all
    },
  }
}

/** The sentences that are wrong: of what was promised to callers (I1), of the log (I2), of stock (I3) and of search, which follows (I4). */
async function wrong(db: Database, created: readonly string[]): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select format('%s has %s records and %s events', asked.key, c.n, e.n) as wrong
    from   unnest(${created}::text[]) as asked (key),
           lateral (select count(*) as n from lockstep.commands c where c.key = asked.key) c,
           lateral (select count(*) as n from lockstep.events e where e.entity = 'product/' || asked.key and e.type = 'product.created') e
    where  c.n <> 1 or e.n <> 1
    union all
    select format('%s events up to %s, and the head at %s', count(e.*), max(e.position), h.position)
    from   lockstep.head h left join lockstep.events e on true
    group  by h.position having count(e.*) <> h.position or max(e.position) <> h.position
    union all
    select format('%s has %s events up to version %s', entity, count(*), max(version))
    from   lockstep.events group by entity having count(*) <> max(version) or min(version) <> 1
    union all
    select format('%s is not in the storefront', p.id)
    from   catalog.products p left join storefront.products s on s.product_id = p.id where s.product_id is null`
  return [...rows.map((row) => row.wrong), ...(await verifyInventory(db)).map((finding) => JSON.stringify(finding))]
}

/** All refused as they should be: for now, with when to come again, in words that are no secret's. */
function expectPolite(refusals: readonly Answer[]) {
  const said = refusals.map(({ status, headers, body }) =>
    [
      status,
      headers.get('content-type')?.split(';', 1)[0],
      headers.has('retry-after'),
      /stack|at .*\.ts:/.test(body.detail),
    ].join(),
  )
  expect(said.filter((each) => each !== '503,application/problem+json,true,false')).toEqual([])
}

/** Everybody is served again, without anybody's doing. */
async function expectHealed(program: Program, created: readonly string[]) {
  const before = created.length
  await until(() => created.length > before + CALLERS)
  await until(async () => (await program.call('/health/ready')).status === 200)
}

seededTest(
  'with the disk full every write is refused with the reason, all reads go on, and so do writes once there is room',
  async () => {
    const { disk, program, db } = await scene()
    const callers = startCallers(program)
    await until(() => callers.created.length > 8)
    expect(callers.refusals).toEqual([])
    await disk.fill(program.pid)
    await until(() => callers.refusals.length > 0)
    // Postgres may be the first to say so.
    await until(async () => (await program.call('/health/ready')).status === 503)
    const [before, since] = [callers.created.length, performance.now()]
    const reads = [
      '/products/first-1',
      '/products?limit=5',
      '/search?q=lamp',
      '/products/first-1/sync-status',
      '/storefront/products/first-1',
      '/health/live',
    ]
    const read: string[] = []
    while (performance.now() - since < 3_000) {
      for (const path of reads) {
        const { status, body } = await program.call(path)
        read.push(
          status === 200 ? `${path} 200` : `${path} ${status} ${JSON.stringify(body)} ${program.told().slice(-3_000)}`,
        )
      }
      const health = await program.call('/health/ready')
      expect(health.status).toBe(503)
      expect(health.body.checks).toMatchObject({
        database: 'ok',
        log: 'ok',
        disk: expect.stringMatching(/the disk of .* has \d+ MiB left/),
      })
      await pause(100)
    }
    expect(new Set(read)).toEqual(new Set(reads.map((path) => `${path} 200`)))
    expect(callers.created.length - before).toBeLessThanOrEqual(CALLERS)
    expectPolite(callers.refusals)
    expect(callers.refusals.at(-1)?.body.detail).toContain(`the disk of ${disk.directory} has `)
    await disk.free(program.pid)
    await expectHealed(program, callers.created)
    await callers.finish()
    await caughtUp(db, await consumers(db))
    expect(await wrong(db, callers.created)).toEqual([])
    await db.close()
    await program.close()
  },
)

seededTest(
  "a stranger who fills the disk with the database's own log takes it down; freed, it is back by itself and nothing is lost",
  async () => {
    const { disk, program, db } = await scene()
    const callers = startCallers(program)
    await until(() => callers.created.length > 8)
    await disk.fill(program.pid)
    // 40 MB at a time, where the log has a segment of 16 and room for two more at most, and the room that was kept aside goes the same way: Postgres panics.
    const log = `${disk.seenThrough(program.pid)}/postgres/postgres.log`
    await until(async () => {
      await disk.fill(program.pid)
      await db`select pg_logical_emit_message(false, 'stranger', repeat('x', 1000000)) from generate_series(1, 40)`.catch(
        () => {},
      )
      // Its own log lies on the full disk, and may have had no room for the word.
      const { body } = await program.call('/health/ready')
      return (await readFile(log, 'utf8')).includes('PANIC') || body?.checks?.database !== 'ok'
    })
    // What Postgres lets go of as it comes up again is filled too.
    await until(async () => {
      await disk.fill(program.pid)
      const { status, body } = await program.call('/health/ready')
      return status === 503 && /the disk of .* has \d+ MiB left/.test(body.checks.disk)
    })
    expect((await program.call('/health/live')).status).toBe(200)
    await disk.free(program.pid)
    await expectHealed(program, callers.created)
    await callers.finish()
    expectPolite(callers.refusals)
    const again = openDatabase(await urlOf(disk, program))
    await caughtUp(again, await consumers(again))
    expect(await wrong(again, callers.created)).toEqual([])
    expect(program.isRunning()).toBe(true)
    await Promise.all([db.close(), again.close()])
    await program.close()
  },
)

const consumers = async (db: Database) =>
  (await db<{ name: string }>`select name from lockstep.consumers`).map((row) => row.name)
