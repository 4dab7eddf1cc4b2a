/** What this program is: its version, and how many schema files it brings. */
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../../../', import.meta.url)

export const version = (): string => JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version

export function schemaCount(): number {
  const folders = ['src/engine/', ...readdirSync(new URL('src/services/', root)).map((name) => `src/services/${name}/`)]
  return folders.flatMap((folder) => sqlFiles(new URL(`${folder}schema/`, root))).length
}

function sqlFiles(folder: URL): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith('.sql'))
  } catch {
    return []
  }
}
