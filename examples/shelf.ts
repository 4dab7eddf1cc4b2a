/** A projection that can fail: a shelf has labels of twenty characters, and its table refuses longer ones. */
import { projection, type Service } from '../src/index.ts'

const shelfProjection = projection({
  name: 'shelf',
  on: ['product.*'],
  async apply(changes, tx) {
    await tx`
      insert into shelf (product_id, version, title)
      select * from unnest(${changes.map(({ key }) => key)}::text[], ${changes.map(({ version }) => version)}::bigint[],
                           ${changes.map(({ data }) => data.product.title)}::text[])
      on conflict (product_id) do update
      set    version = excluded.version, title = excluded.title
      where  excluded.version > shelf.version`
  },
})

export const shelf = {
  name: 'shelf',
  schema: new URL('./schema/shelf/', import.meta.url),
  consumers: [shelfProjection],
} satisfies Service
