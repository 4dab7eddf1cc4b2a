/** One change of a product for several owners: its fields are the catalog's, its counts inventory's; all of it is accepted or nothing. */
import type { CommandOptions } from '../../engine/executor.ts'
import { invalidRequest } from '../../engine/http.ts'
import type { AnySource, Deed, Joint } from '../../engine/joint.ts'
import type { CatalogCommand } from './decider.ts'
import { resting, type SkusOf } from './leaving.ts'
import { productEntity, type StockCount } from './product.ts'
import { catalogSource } from './store.ts'

/** What the catalog is given of inventory. */
export interface Stocking {
  /** Holds `catalogSource` and the stock's source. */
  joint: Joint
  stock: AnySource
  /** What sets these counts of a product's SKUs, and the stock's versions by entity as they are now. */
  counting(productId: string, counts: StockCount[]): Promise<{ commands: object[]; versions: Record<string, number> }>
}

export interface Changed {
  id: string
  /** The product's. */
  version: number
  /** By entity, those that did not change too. */
  versions: Record<string, number>
}

/** Without a stocking there are no counts to set: refused. */
export async function change(
  skusOf: SkusOf,
  command: Extract<CatalogCommand, { type: 'update' }>,
  counts: StockCount[],
  stocking: Stocking | undefined,
  options: CommandOptions,
): Promise<Changed> {
  if (!stocking) throw invalidRequest({ in: 'body', field: 'stock', message: 'can not be set here' })
  const { productId } = command
  const { commands, versions } = await stocking.counting(productId, counts)
  const withSkus = [...new Set(counts.map(({ sku }) => sku))]
  const moves = commands.map((move): Deed => ({ source: stocking.stock, command: move }))
  const rest = await resting(command, stocking, skusOf)
  const executed = await stocking.joint.together(
    {
      scope: 'catalog',
      said: { ...command, counts },
      deeds: [{ source: catalogSource, command: { ...command, withSkus } }, ...moves, ...rest],
      answer: ([product]) => product ?? {},
    },
    options,
  )
  const { id, version } = executed.answer
  return { id, version, versions: { [productEntity(id)]: version, ...versions, ...executed.versions } }
}
