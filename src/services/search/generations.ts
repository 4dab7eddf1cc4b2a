/**
 * The generations of what is cached of the search, kept beside the index: a change renews its tags in the transaction that makes it visible, so
 * both are seen at once, by every process, whatever crashes. One lookup by key validates an answer.
 */
import type { Generations } from '../../engine/cache/cache.ts'
import type { Database, Sql } from '../../engine/database.ts'

/** The tag of all entries. */
export const everything = '*'

export class SearchGenerations implements Generations {
  readonly #db: Database
  #asked: { tags: Set<string>; found: Promise<Map<string, number>> } | undefined

  constructor(db: Database) {
    this.#db = db
  }

  async read(tags: readonly string[]): Promise<string> {
    const found = await this.#together(tags)
    return tags.map((tag) => found.get(tag) ?? 0).join()
  }

  renew(tags: readonly string[]): Promise<void> {
    return renewTags(tags, this.#db)
  }

  /** Who asks in the same tick is answered by one statement, which begins after all of them asked. */
  #together(tags: readonly string[]): Promise<Map<string, number>> {
    if (!this.#asked) {
      const asked = new Set<string>()
      const found = Promise.resolve().then(() => {
        this.#asked = undefined
        return this.#read([...asked])
      })
      this.#asked = { tags: asked, found }
    }
    for (const tag of tags) this.#asked.tags.add(tag)
    return this.#asked.found
  }

  async #read(tags: string[]): Promise<Map<string, number>> {
    const rows = await this.#db<{ tag: string; generation: number }>`
      select tag, generation from search.generations where tag = any(${tags}::text[])`
    return new Map(rows.map(({ tag, generation }) => [tag, generation]))
  }
}

/** In order, since parts of a failed batch do it at the same time; each holds its tags until its commit. */
export async function renewTags(tags: readonly string[], tx: Sql): Promise<void> {
  if (tags.length === 0) return
  await tx`
    insert into search.generations as g (tag, generation)
    select tag, 1 from unnest(${[...tags].sort()}::text[]) as tag order by tag
    on conflict (tag) do update set generation = g.generation + 1`
}
