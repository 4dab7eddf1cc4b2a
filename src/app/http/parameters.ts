/** Query parameters that nobody asked for: refused by name, on every route, with what was probably meant. */
import type { RouteOptions } from 'fastify'
import { z } from 'zod'
import { type FieldError, invalidRequest } from '../../engine/http.ts'
import { unknownName } from './unknown-names.ts'

/** Errors told of one request. */
const TOLD = 20

/**
 * Whether a route passes parameters over that it does not know. A filter that is passed over answers something else than was asked for, so the
 * rule is to refuse. The exceptions are what people, mail programs, crawlers and probes open by a link that gained parameters on its way
 * (utm_source, fbclid, a cache's ?t=): pages and their files, which the API document does not list, and routes with `anyQuery`.
 */
export const anyQuery = ({ config, schema }: RouteOptions): boolean =>
  config?.anyQuery === true || (schema as { hide?: boolean } | undefined)?.hide === true

/** What refuses a query in the name of a route, if it does. Throws when the route's schema does not tell its parameters. */
export function queryCheck(route: RouteOptions): ((query: unknown) => void) | undefined {
  if (anyQuery(route)) return undefined
  const known = parametersOf(route.schema?.querystring, `${route.method} ${route.url}`)
  const names = new Set(known)
  return (query) => {
    let errors: FieldError[] | undefined
    for (const name in query as object) {
      if (names.has(name)) continue
      errors ??= []
      if (errors.length < TOLD)
        errors.push({ in: 'query', field: clip(name), message: unknownName(name, 'parameter', known) })
    }
    if (errors) throw invalidRequest(...errors)
  }
}

function parametersOf(schema: unknown, route: string): string[] {
  if (schema === undefined) return []
  if (schema instanceof z.ZodPipe) return parametersOf(schema.in, route)
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape)
  throw new TypeError(`the query of ${route} must be a Zod object, so that its parameters are known`)
}

const clip = (name: string) => (name.length > 200 ? `${name.slice(0, 200).toWellFormed()}…` : name)
