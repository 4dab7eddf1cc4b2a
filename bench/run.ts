/** Runs the measurements named, or all but growth, one after the other: `npm run bench`, `npm run bench -- reservations growth`. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const usual = [
  'reservations',
  'checkout',
  'fan-out',
  'freshness',
  'http',
  'import',
  'promotion',
  'search',
  'cache',
  'media',
]
const [, , ...given] = process.argv
const options = given.filter((word) => word.startsWith('-'))
const names = given.filter((word) => !word.startsWith('-'))
const unknown = names.filter((name) => name !== 'growth' && !usual.includes(name))
if (unknown.length > 0) {
  console.error(`There is no measurement ${unknown.join(', ')}. There are: ${usual.join(', ')}, growth.`)
  process.exit(2)
}

for (const name of names.length > 0 ? names : usual) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...options], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
