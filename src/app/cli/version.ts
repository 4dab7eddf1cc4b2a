/** What this program is: its version, and how many schema files it brings. */
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../../../', import.meta.url)
/** `src`, or `dist` once built. */
const sources = new URL('../../', import.meta.url)

export const version = (): string => JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version

/** Of the engine, the services and the program's own. */
export const schemaCount = (): number =>
  readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /[\\/]schema[\\/][^\\/]+\.sql$/.test(path),
  ).length
