/** The invariants, asked of the database once everything is healed. Each answers the sentences that are wrong, none if it holds. */
import { expect } from 'vitest'
import type { Database } from '../../src/engine/database.ts'
import type { Executed } from '../../src/engine/executor.ts'

/** What a caller knows of its command in the end; its key is also the correlation id of its event. */
export interface Call {
  key: string
  outcome: 'ok' | 'refused' | 'unknown'
  executed?: Executed
}

/** I1 ack: every ok has one command record and its one event, every refusal none, every unknown at most one of both. */
export async function acknowledged(db: Database, calls: readonly Call[]): Promise<string[]> {
  const rows = await db<{
    key: string
    records: number
    events: number
    entity: string | null
    version: number | null
  }>`
    select asked.key, e.entity, e.version,
           (select count(*)::int from lockstep.commands c where c.key = asked.key) as records,
           count(e.*) over (partition by asked.key)::int as events
    from   unnest(${calls.map((call) => call.key)}::text[]) as asked (key)
    left   join lockstep.events e on e.meta ->> 'correlationId' = asked.key`
  const found = new Map(rows.map((row) => [row.key, row]))
  return calls.flatMap(({ key, outcome, executed }) => {
    const { records = 0, events = 0, entity, version } = found.get(key) ?? {}
    const what = `I1: ${key} is ${outcome} with ${records} records and ${events} events`
    if (outcome === 'refused') return records + events === 0 ? [] : [what]
    if (outcome === 'unknown') return records === events && events <= 1 ? [] : [what]
    if (records !== 1 || events !== 1) return [what]
    const told = Object.entries(executed?.versions ?? {}).map(([id, n]) => `${id}@${n}`)
    return told.join() === `${entity}@${version}` ? [] : [`${what}, told ${told} and logged ${entity}@${version}`]
  })
}

/** I1 of commands without a key, whose records are forgotten: only their events tell. */
export async function keylessAcknowledged(db: Database, calls: readonly Call[]): Promise<string[]> {
  const wrong = await acknowledged(db, calls)
  return wrong.filter(
    (sentence) => !/is ok with 0 records and 1 events$|is unknown with 0 records and [01] events$/.test(sentence),
  )
}

/** I2 log: positions without gap up to the head, versions 1 … v of each entity, and the state at v. */
export async function logIsSound(db: Database): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select format('I2: %s events from %s to %s, and the head at %s', count(e.*), min(e.position), max(e.position), h.position) as wrong
    from   lockstep.head h left join lockstep.events e on true
    group  by h.position
    having count(e.*) <> h.position or coalesce(min(e.position), 1) <> 1 or coalesce(max(e.position), 0) <> h.position
    union all
    select format('I2: %s has %s events up to version %s', entity, count(*), max(version))
    from   lockstep.events group by entity
    having count(*) <> max(version) or count(distinct version) <> count(*) or min(version) <> 1
    union all
    select format('I2: %s is at %s, its events at %s', coalesce(n.id, e.entity), n.version, e.version)
    from   notes n full join (select entity, max(version) as version from lockstep.events where entity like 'note/%' group by entity) e on e.entity = n.id
    where  n.version is distinct from e.version`
  return rows.map((row) => row.wrong)
}

/** I4 delivery: the copies are the fold of the log, the diary holds each event once; I6 order: in order of versions. */
export async function delivered(db: Database): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select format('I4: the copy of %s is %s %s, its last event %s %s', coalesce(c.id, e.entity), c.version, c.text, e.version, e.text) as wrong
    from   copies c
    full   join (select distinct on (entity) entity, version, data ->> 'text' as text
                 from lockstep.events where type like 'note.%' order by entity, version desc) e on e.entity = c.id
    where  (c.version, c.text) is distinct from (e.version, e.text)
    union all
    select format('I4: event %s of %s is %s times in the diary', e.position, e.entity, count(d.*))
    from   lockstep.events e left join diary d on d.event_id = e.id
    where  e.type = 'note.written'
    group  by e.position, e.entity having count(d.*) <> 1
    union all
    select format('I4: the diary has event %s of %s, the log has not', d.event_id, d.entity)
    from   diary d where not exists (select from lockstep.events e where e.id = d.event_id)
    union all
    select format('I6: the diary has %s@%s after @%s', entity, version, before)
    from   (select entity, version, lag(version) over (partition by entity order by n) as before from diary) d
    where  version <= before`
  return rows.map((row) => row.wrong)
}

/**
 * Lets the database itself write down what would otherwise pass unseen: who moved a checkpoint in which epoch, and a copy that goes back.
 * Call it after the schema is installed.
 */
export async function watch(db: Database): Promise<void> {
  await db.text(`
    create table witnessed (n bigint generated always as identity, name text, epoch bigint, position bigint, session text);
    create function witness() returns trigger language plpgsql as $$
    begin
      insert into witnessed (name, epoch, position, session) values (new.name, new.epoch, new.position, current_setting('application_name'));
      return new;
    end $$;
    create trigger witness after update of position, epoch on lockstep.consumers for each row when (new.owner is not null) execute function witness();
    create table went_back (what text);
    create function refuse_nothing() returns trigger language plpgsql as $$
    begin
      insert into went_back values (format('%s from %s to %s', new.id, old.version, new.version));
      return new;
    end $$;
    create trigger watch_copies after update on copies for each row when (new.version < old.version) execute function refuse_nothing();`)
}

/** I5 monotone, and one leader per epoch: no copy and no checkpoint went back, and each epoch was written by one process. Needs `watch`. */
export async function oneLeader(db: Database): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select 'I5: ' || what as wrong from went_back
    union all
    select format('I5: the checkpoint of %s went from %s to %s', name, before, position)
    from   (select name, position, lag(position) over (partition by name order by n) as before from witnessed) w
    where  position < before
    union all
    select format('two leaders of %s in epoch %s: %s', name, epoch, string_agg(distinct session, ', '))
    from   witnessed group by name, epoch having count(distinct session) > 1`
  return rows.map((row) => row.wrong)
}

/** I10 letters: no dead letter without a cause, none of an event that never was. */
export async function lettersHaveCauses(db: Database): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select format('I10: failure %s of %s is %s without a cause', f.id, f.consumer, f.state) as wrong
    from   lockstep.failures f
    where  f.state <> 'waiting' and (f.error = '' or f.attempts = 0 or f.history = '[]')
       or  not exists (select from lockstep.events e where e.position = f.position and e.entity = f.entity and e.version = f.version)`
  return rows.map((row) => row.wrong)
}

/** All of the sentences in one assertion, so that a failure shows everything that is wrong. */
export async function expectSound(db: Database, calls: readonly Call[] = []): Promise<void> {
  const wrong = await Promise.all([acknowledged(db, calls), logIsSound(db), lettersHaveCauses(db)])
  expect(wrong.flat().slice(0, 20)).toEqual([])
}
