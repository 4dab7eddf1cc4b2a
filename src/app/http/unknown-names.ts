/** A name in a request that nobody knows: what is said of it, with the known name that was probably meant. */
import { z } from 'zod'
import { correctable, nearest } from '../../services/search/spelling.ts'

/** `is not a field of this; did you mean quantity?` */
export function unknownName(name: string, what: 'field' | 'parameter', known: readonly string[]): string {
  // page_size and PageSize are pageSize.
  const like = Object.fromEntries(known.map((each) => [folded(each), each]))
  const [near = ''] = correctable(name) ? nearest(folded(name), Object.keys(like)) : []
  const meant = like[near]
  if (meant !== undefined) return `is not a ${what} of this; did you mean ${meant}?`
  return known.length === 0
    ? `is not a ${what} of this; it takes none`
    : `is not a ${what} of this; it takes ${known.join(', ')}`
}

const folded = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/** The fields of the object at `['lines', '0']`; of all that may stand there. Undefined where the schema does not name them. */
export function fieldsAt(schema: unknown, path: readonly string[]): string[] | undefined {
  const objects = reached(schema, path)
  return objects.length === 0 ? undefined : [...new Set(objects.flatMap(({ shape }) => Object.keys(shape)))]
}

function reached(schema: unknown, path: readonly string[]): z.ZodObject[] {
  if (schema instanceof z.ZodPipe) return reached(schema.in, path)
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => reached(option, path))
  if (schema instanceof z.ZodIntersection)
    return [schema.def.left, schema.def.right].flatMap((side) => reached(side, path))
  if (schema instanceof z.ZodLazy) return reached(schema.unwrap(), path)
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly
  )
    return reached(schema.unwrap(), path)
  const [name, ...rest] = path
  if (name === undefined) return schema instanceof z.ZodObject ? [schema] : []
  if (schema instanceof z.ZodObject) return reached(schema.shape[name], rest)
  if (schema instanceof z.ZodArray) return reached(schema.element, rest)
  if (schema instanceof z.ZodRecord) return reached(schema.valueType, rest)
  return []
}
