/** What this program is: its version, and how many schema files it brings. */
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../../../', import.meta.url)
/** `src`, or `dist` once built. */
const sources = new URL('../../', import.meta.url)

export const version = (): string => JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version

export function schemaCount(): number {
  const services = readdirSync(new URL('services/', sources)).map((name) => `services/${name}/`)
  return ['engine/', ...services].flatMap((folder) => sqlFiles(new URL(`${folder}schema/`, sources))).length
}

function sqlFiles(folder: URL): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith('.sql'))
  } catch {
    return []
  }
}
