/** A link that media come from: an address elsewhere, or the place of an upload here. */
import { createHash } from 'node:crypto'

export interface Link {
  id: string
  url: string
  /** Links of one host take turns, so that a slow one holds up nobody else's. Empty for uploads. */
  host: string
}

export function linkTo(url: string): Link {
  const host = URL.canParse(url) ? new URL(url).host : ''
  return { id: createHash('sha256').update(url).digest('hex'), url, host }
}

/** The address of what has this content, for good: what an uploaded image's link is, and where everything made of it is found. */
export const publicUrl = (hash: string) => `/media/${hash}`

/** The content of an upload's link; undefined for any other. Also `/v1/media/…`, which is the same. */
export const uploadOf = (url: string): string | undefined => /^(?:\/v1)?\/media\/([0-9a-f]{64})$/.exec(url)?.[1]
