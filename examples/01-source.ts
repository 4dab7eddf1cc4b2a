/** A source of your own: gift cards, written as a pure decider and a store. The engine adds transactions, the log and idempotency. */
import { pino } from 'pino'
import { Engine, Rejected, type Source } from '../src/index.ts'
import { scratchDatabase } from './scratch.ts'

type GiftCard = { cents: number }
type Command = { type: 'issue' | 'redeem'; id: string; cents: number }
type Fact = { type: 'gift-card.issued' | 'gift-card.redeemed'; entity: string; cents: number }

const giftCards: Source<GiftCard, Command, Fact> = {
  name: 'gift-cards',
  decider: {
    touches: ({ id }) => [`gift-card/${id}`],
    decide(states, { type, id, cents }) {
      const entity = `gift-card/${id}`
      if (type === 'issue') return { facts: [{ type: 'gift-card.issued', entity, cents }] }
      const left = states.get(entity)?.state?.cents ?? 0
      if (left < cents) throw new Rejected('balance-too-low', { left })
      return { facts: [{ type: 'gift-card.redeemed', entity, cents }], answer: { left: left - cents } }
    },
    evolve: (card, { type, cents }) => ({ cents: (card?.cents ?? 0) + (type === 'gift-card.issued' ? cents : -cents) }),
    tell: ({ entity }, card) => ({ key: entity.slice('gift-card/'.length), data: { ...card } }),
  },
  store: {
    async load(tx, ids, { skipLocked }) {
      const names = ids.map((id) => id.slice('gift-card/'.length))
      const rows = await tx.text<{ id: string; version: number; cents: number }>(
        `select id, version, cents from gift_cards where id = any($1) order by id for update ${skipLocked ? 'skip locked' : ''}`,
        [names],
      )
      const states = new Map(
        rows.map(({ id, version, cents }) => [`gift-card/${id}` as string, { version, state: { cents } }] as const),
      )
      const there = skipLocked
        ? await tx<{ id: string }>`select id from gift_cards where id = any(${names}::text[])`
        : []
      return { states, blocked: there.map(({ id }) => `gift-card/${id}`).filter((entity) => !states.has(entity)) }
    },
    async save(tx, { states, facts }) {
      const fresh = new Set(facts.flatMap(({ fact, version }) => (version === 1 ? [fact.entity] : [])))
      const rows = [...states].map(([entity, { version, state }]) => ({ entity, version, cents: state?.cents ?? 0 }))
      const columns = (some: typeof rows) => ({
        ids: some.map(({ entity }) => entity.slice('gift-card/'.length)),
        versions: some.map(({ version }) => version),
        cents: some.map(({ cents }) => cents),
      })
      const born = columns(rows.filter(({ entity }) => fresh.has(entity)))
      const known = columns(rows.filter(({ entity }) => !fresh.has(entity)))
      await Promise.all([
        // inserted plainly: two processes that issue the same card must not both succeed
        tx`
          insert into gift_cards (id, version, cents)
          select * from unnest(${born.ids}::text[], ${born.versions}::bigint[], ${born.cents}::bigint[])`,
        tx`
          update gift_cards g set version = k.version, cents = k.cents
          from   unnest(${known.ids}::text[], ${known.versions}::bigint[], ${known.cents}::bigint[]) as k (id, version, cents)
          where  g.id = k.id`,
      ])
    },
  },
}

await using database = await scratchDatabase()
const engine = new Engine({ url: database.url, log: pino({ level: 'silent' }) })
await engine.install([{ name: 'gift-cards', schema: new URL('./schema/gift-cards/', import.meta.url) }])
const { execute } = engine.executor(giftCards)

const issued = await execute({ type: 'issue', id: 'A1', cents: 5_000 })
console.log('issued, now at', issued.versions)

// Two at once want more than there is: they are decided one after the other, and the second is refused alone.
const both = await Promise.allSettled([
  execute({ type: 'redeem', id: 'A1', cents: 3_000 }),
  execute({ type: 'redeem', id: 'A1', cents: 3_000 }),
])
for (const each of both)
  console.log(
    each.status === 'fulfilled' ? each.value.answer : `${each.reason.code} ${JSON.stringify(each.reason.detail)}`,
  )

// The same key is carried out once, however often it is sent.
for (let times = 0; times < 2; times++) {
  const { answer, repeated } = await execute({ type: 'redeem', id: 'A1', cents: 500 }, { key: 'order-77' })
  console.log(answer, repeated ? 'repeated' : 'first')
}

for (const { position, type, entity, version, data } of await engine.db<{
  position: number
  type: string
  entity: string
  version: number
  data: string
}>`select position, type, entity, version, data from lockstep.events order by position`)
  console.log(`#${position} ${type} ${entity}@${version} ${data}`)

await engine.close()

/* Prints:
issued, now at { 'gift-card/A1': 1 }
{ left: 2000 }
balance-too-low {"left":2000}
{ left: 1500 } first
{ left: 1500 } repeated
#1 gift-card.issued gift-card/A1@1 {"cents":5000}
#2 gift-card.redeemed gift-card/A1@2 {"cents":2000}
#3 gift-card.redeemed gift-card/A1@3 {"cents":1500}
*/
