/** Products in our own shape: the body of `POST /products`, amounts in minor units; a variant may carry its `stock` besides. */
import { z } from 'zod'
import { wording } from '../../engine/wording.ts'
import { normalProduct, productInput } from '../../services/catalog/product.ts'
import { FirstSeen } from './first-seen.ts'
import type { JsonRecord } from './json.ts'
import { asIdentifier, slug } from './names.ts'
import type { Draft, StockLine } from './products.ts'
import type { Problem } from './report.ts'

z.config({ localeError: wording })

/** Reads elements one by one; remembers ids and SKUs, for each may come once. */
export class OwnShapeReader {
  readonly #skus = new FirstSeen()
  readonly #ids = new FirstSeen()

  read(record: JsonRecord): Draft {
    const { line } = record
    const problems: Problem[] = []
    const refuse = (reason: string, column?: string, what?: string): Draft => {
      problems.push({
        line,
        ...(column !== undefined && { column }),
        kind: 'refused',
        ...(what !== undefined && { what }),
        reason,
      })
      return { line, stock: [], problems }
    }
    if ('refused' in record) return refuse(record.refused)
    const { body, counts } = withoutStock(record.value)
    const checked = productInput.safeParse(body)
    if (!checked.success) {
      const [issue] = checked.error.issues
      return refuse(issue?.message ?? 'is no product', issue?.path.join('.'), nameOf(body))
    }
    const { id: given, title, variants } = checked.data
    const id = given ?? (asIdentifier(variants[0]?.sku ?? '') || slug(title))
    const sameId = this.#ids.at(id, line)
    if (sameId !== undefined) return refuse(`is the product of line ${sameId} already`, 'id', id)
    const stock: StockLine[] = []
    const taken = variants.filter(({ sku }, n) => {
      const sameSku = this.#skus.at(sku, line)
      if (sameSku !== undefined) {
        refuse(`${JSON.stringify(sku)} is the SKU of line ${sameSku} already`, `variants.${n}.sku`, id)
        return false
      }
      const count = counts[n]
      if (count === undefined) return true
      if (!Number.isInteger(count)) refuse('must be a whole number', `variants.${n}.stock`, id)
      else {
        const quantity = Math.max(0, Number(count))
        if (Number(count) < 0) {
          problems.push({
            line,
            column: `variants.${n}.stock`,
            kind: 'repaired',
            what: id,
            reason: `${count} on hand: 0 instead`,
          })
        }
        stock.push({ line, sku, warehouse: '', quantity })
      }
      return true
    })
    if (taken.length === 0) return { line, stock: [], problems }
    return { line, product: normalProduct({ ...checked.data, id, variants: taken }), stock, problems }
  }
}

function withoutStock(value: unknown): { body: unknown; counts: unknown[] } {
  const variants = (value as { variants?: unknown })?.variants
  if (!Array.isArray(variants)) return { body: value, counts: [] }
  const counts = variants.map((variant: { stock?: unknown } | null) => variant?.stock)
  const plain = variants.map((variant: unknown) => {
    if (typeof variant !== 'object' || variant === null || !('stock' in variant)) return variant
    const { stock, ...rest } = variant
    return rest
  })
  return { body: { ...(value as object), variants: plain }, counts }
}

function nameOf(body: unknown): string | undefined {
  const { id, title } = (body ?? {}) as { id?: unknown; title?: unknown }
  const name = id ?? title
  return typeof name === 'string' ? name.slice(0, 100) : undefined
}
