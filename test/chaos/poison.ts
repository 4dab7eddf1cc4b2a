/** Consumers that choke on a note's text, in every way a handler can go wrong. */
import { projection, reaction } from '../../src/engine/consumer.ts'
import type { LoggedEvent } from '../../src/engine/event.ts'
import type { Service } from '../../src/engine/service.ts'

const schema = new URL('./poison-schema/', import.meta.url)

async function choke(event: LoggedEvent): Promise<void> {
  switch (event.data.text) {
    case 'throws':
      throw new Error('bitter')
    case 'throws a string':
      throw 'bitter'
    case 'throws something without a text':
      throw Object.assign(Object.create(null), { bitter: true })
    case 'throws an error with a NUL in its name':
      throw Object.assign(new Error('bitter\0'), { name: 'Bitter\0', message: { not: 'a string' } })
    case 'rejects later':
      return new Promise((_, reject) => setTimeout(() => reject(new Error('bitter')), 5))
    case 'rejects when nobody looks':
      void Promise.reject(new Error('bitter, detached'))
      return
    case 'never settles':
      return new Promise(() => {})
    case 'loops':
      for (;;);
  }
}

/** `eaten` is a projection that keeps the latest version, `tasted` a reaction that writes down every event. */
export function poisonService(): Pick<Service, 'name' | 'schema' | 'consumers'> {
  const eaten = projection({
    name: 'eaten',
    on: ['note.*'],
    async apply(changes, tx) {
      for (const change of changes) await choke(change)
      await tx`
        insert into eaten (id, version)
        select * from unnest(${changes.map((change) => change.entity)}::text[], ${changes.map((change) => change.version)}::bigint[])
        on conflict (id) do update set version = excluded.version where excluded.version > eaten.version`
    },
  })
  const tasted = reaction({
    name: 'tasted',
    from: 'start',
    on: {
      'note.*': async (event, { tx }) => {
        await choke(event)
        await tx`insert into tasted (event_id) values (${event.id})`
      },
    },
  })
  return { name: 'poison', schema, consumers: [eaten, tasted] }
}
