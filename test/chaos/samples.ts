/** Honest bodies made from a JSON schema, and the places in them where something else can stand. */

export interface JsonSchema {
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema
  minItems?: number
  minimum?: number
  exclusiveMinimum?: number
  format?: string
}

/** One value that fits the schema as far as it tells: every property is there, every list has an entry. */
export function sampleOf(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  const [option] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []
  if (option) return sampleOf(option)
  switch ([schema.type].flat()[0]) {
    case 'object': {
      const named = Object.entries(schema.properties ?? {}).map(([name, property]) => [name, sampleOf(property)])
      const free =
        typeof schema.additionalProperties === 'object' ? [['any', sampleOf(schema.additionalProperties)]] : []
      return Object.fromEntries([...named, ...free])
    }
    case 'array':
      return [sampleOf(schema.items ?? {})]
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 0, (schema.exclusiveMinimum ?? 0) + 1)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return schema.format === 'date-time' ? '2030-01-31T08:00:00Z' : 'EUR'
  }
}

export type Leaf = (string | number)[]

/** The path to everything in a value that is no list and no object. */
export function leavesOf(value: unknown, path: Leaf = []): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((one, n) => leavesOf(one, [...path, n]))
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, one]) => leavesOf(one, [...path, name]))
  return [path]
}

/** A copy with something else at that place. */
export function withLeaf(value: unknown, [name, ...rest]: Leaf, other: unknown): unknown {
  if (name === undefined) return other
  const copy = structuredClone(value) as Record<string | number, unknown>
  copy[name] = withLeaf(copy[name], rest, other)
  return copy
}
