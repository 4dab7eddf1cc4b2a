/** Uploads: content that comes in the body of a request is kept at once, and made into something like any other link's. */

import { join } from 'node:path'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { GiveUp } from '../../engine/verdict.ts'
import { alone } from './assets.ts'
import { type Limits, type Taken, TooLarge, takeIn } from './content.ts'
import { type MediaFiles, ORIGINAL } from './files.ts'
import { linkTo, publicUrl } from './link.ts'

/** Throws `media-too-large` and `unusable-media`. The same content again is the same upload; one that had failed is tried again. */
export async function keepUpload(
  db: Database,
  files: MediaFiles,
  body: AsyncIterable<Buffer>,
  limits: Limits,
): Promise<Taken> {
  const draft = await files.draft()
  try {
    const taken = await takeIn(body, join(draft, ORIGINAL), limits).catch(refuse)
    const { id, url, host } = linkTo(publicUrl(taken.hash))
    await alone(db, taken.hash, async () => {
      await files.keep(taken.hash, draft)
      await db`
        insert into media.links as l (id, url, host, hash)
        values (${id}, ${url}, ${host}, ${taken.hash})
        on conflict (id) do update set state = 'wanted', attempts = 0, failure = null, due_at = clock_timestamp(), changed_at = clock_timestamp()
         where l.state = 'failed'`
    })
    return taken
  } finally {
    await files.discard(draft)
  }
}

function refuse(error: unknown): never {
  if (error instanceof TooLarge)
    throw new Rejected('media-too-large', {}, `The upload can't be taken: ${error.message}.`)
  if (error instanceof GiveUp) throw new Rejected('unusable-media', {}, `The upload can't be taken: ${error.message}.`)
  throw error
}
