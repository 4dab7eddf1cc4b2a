/** The header that a feed's address is asked with: its value is a secret, and is kept sealed with a key of the feed's own, as customers' fields are. */
import type { Sql } from '../../engine/database.ts'
import { newKey, sealText, unsealText } from '../../engine/seal.ts'
import type { Feed } from './definition.ts'

/** A definition as it may lie in the database: `value` stands in those of before headers were sealed. */
type Kept = Omit<Feed, 'source'> & {
  source: { file: string } | { url: string; header?: { name: string; value?: string; sealed?: string } } | null
}

/** As it is kept, and the key to be kept apart from it; null when there is nothing to seal. */
export function sealed(feed: Feed): { definition: string; key: string | null } {
  const { source } = feed
  if (!source || !('url' in source) || !source.header) return { definition: JSON.stringify(feed), key: null }
  const key = newKey()
  const { name, value } = source.header
  const kept: Kept = { ...feed, source: { url: source.url, header: { name, sealed: sealText(key, value) } } }
  return { definition: JSON.stringify(kept), key }
}

/** Throws when the key is not its own. */
export function opened(definition: string, key: string | null): Feed {
  const { source, ...rest } = JSON.parse(definition) as Kept
  if (!source || !('url' in source) || !source.header) return { ...rest, source } as Feed
  const { name, sealed, value = sealed === undefined ? '' : unsealText(key ?? '', sealed) } = source.header
  return { ...rest, source: { url: source.url, header: { name, value } } }
}

/** Seals what was kept plainly before. One that is changed meanwhile is sealed by its change. */
export async function sealPlainHeaders(db: Sql): Promise<void> {
  const rows = await db<{ name: string; definition: string }>`
    select name, definition from feeds.feeds where definition #>> '{source,header,value}' is not null`
  for (const { name, definition } of rows) {
    const now = sealed(opened(definition, null))
    await db`
      with kept as (
        update feeds.feeds set definition = ${now.definition}::json
        where  name = ${name} and definition::text = ${definition}
        returning name
      )
      insert into feeds.header_keys (feed, key) select name, ${now.key}::text from kept
      on conflict (feed) do update set key = excluded.key`
  }
}
