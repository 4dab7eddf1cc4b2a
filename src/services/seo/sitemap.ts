/**
 * The sitemap: an index and files of at most 50,000 addresses and 50 MB, as sitemaps.org wants them. A file is a range of buckets, and a product stays
 * in its bucket: one change touches one file. When there are more products than fit, each file becomes two, with names of their own.
 */
import { createHash } from 'node:crypto'
import type { Database } from '../../engine/database.ts'
import { escaped, pathOf, type Shop } from './page.ts'

const buckets = 65_536
/** Half of what is allowed, on average: buckets are not filled evenly. At 200 characters an address 5 MB. */
const perFile = 25_000
const page = 5_000

/** What a file holds, in short: it changes with the file. */
export interface File {
  n: number
  of: number
  count: number
  lastModified: Date | null
  etag: string
}

/** Each of the files that there are now. */
export async function filesOf(db: Database): Promise<File[]> {
  const [row] = await db<{ total: number }>`select count(*) as total from seo.sitemap`
  const of = 2 ** Math.min(16, Math.max(0, Math.ceil(Math.log2((row?.total ?? 0) / perFile))))
  return filesWith(db, of, 0, buckets)
}

/** One file, whether it is in the index now or was at another size. Undefined for what never could be. */
export async function fileOf(db: Database, n: number, of: number): Promise<File | undefined> {
  if (!Number.isInteger(Math.log2(of)) || of > buckets || n < 1 || n > of) return undefined
  const width = buckets / of
  const [file] = await filesWith(db, of, (n - 1) * width, n * width)
  return file ?? { n, of, count: 0, lastModified: null, etag: '"0"' }
}

async function filesWith(db: Database, of: number, from: number, to: number): Promise<File[]> {
  const width = buckets / of
  const rows = await db<{ n: number; count: number; lastModified: Date; digest: number }>`
    select bucket / ${width}::int + 1 as n, count(*) as count, max(last_modified) as "lastModified",
           bit_xor(hashtextextended(product_id || ' ' || slug || ' ' || extract(epoch from last_modified), 0))::text as digest
      from seo.sitemap
     where bucket >= ${from} and bucket < ${to}
     group by 1 order by 1`
  return rows.map(({ digest, ...row }) => ({ ...row, of, etag: `"${row.count}.${digest}"` }))
}

export const nameOf = ({ n, of }: Pick<File, 'n' | 'of'>) => `products-${n}-of-${of}.xml`

const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
const xmlns = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

export function indexXml(files: File[], shop: Shop): string {
  const entries = files.map(
    (file) =>
      `<sitemap><loc>${escaped(`${shop.url}/sitemaps/${nameOf(file)}`)}</loc>` +
      `${file.lastModified ? `<lastmod>${file.lastModified.toISOString()}</lastmod>` : ''}</sitemap>\n`,
  )
  return `${head}<sitemapindex ${xmlns}>\n${entries.join('')}</sitemapindex>\n`
}

export const indexEtag = (files: File[]) =>
  `"${createHash('sha1')
    .update(files.map((file) => nameOf(file) + file.etag).join())
    .digest('base64url')}"`

/** A file's text, piece by piece: never the whole of it in memory. */
export async function* fileXml(db: Database, { n, of }: Pick<File, 'n' | 'of'>, shop: Shop): AsyncGenerator<string> {
  const width = buckets / of
  const to = n * width
  yield `${head}<urlset ${xmlns}>\n`
  for (let after = { bucket: (n - 1) * width, product_id: '' }; ; ) {
    const rows = await db<{ bucket: number; product_id: string; slug: string; last_modified: Date }>`
      select bucket, product_id, slug, last_modified
        from seo.sitemap
       where (bucket, product_id) > (${after.bucket}, ${after.product_id}) and bucket < ${to}
       order by bucket, product_id limit ${page}`
    yield rows
      .map(
        ({ slug, last_modified }) =>
          `<url><loc>${escaped(shop.url + pathOf(slug))}</loc><lastmod>${last_modified.toISOString()}</lastmod></url>\n`,
      )
      .join('')
    const last = rows.at(-1)
    if (rows.length < page || !last) break
    after = last
  }
  yield '</urlset>\n'
}
