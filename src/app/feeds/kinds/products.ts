/** What feeds about products share: products as they are, by id, and rows that say something twice. */
import type { Sql } from '../../../engine/database.ts'
import type { Product } from '../../../services/catalog/events.ts'
import type { Problem } from '../../import/report.ts'

/** So often a product that others change meanwhile is compared again. */
export const triesMax = 5

export async function productsOf(db: Sql, ids: string[]): Promise<Map<string, { version: number; product: Product }>> {
  const rows = await db<{ id: string; version: number; state: string }>`
    select id, version, state from catalog.products where id = any(${ids}::text[]) and not deleted`
  return new Map(rows.map(({ id, version, state }) => [id, { version, product: JSON.parse(state) }]))
}

/** The readers of an import say so in words alone: `is the product of line 3 already`, `…; its rows must follow one another`. */
export const isRepetition = ({ reason }: Problem) => / line \d+(?: already|; its rows must follow)/.test(reason)
