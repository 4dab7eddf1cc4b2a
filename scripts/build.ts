/**
 * `npm run build`: the package as JavaScript with types, into `dist` or the folder named. Node does not strip types below `node_modules`, so
 * others can't run the TypeScript; a clone can, and needs no build.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = join(import.meta.dirname, '..')
const out = resolve(process.argv[2] ?? join(root, 'dist'))
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

rmSync(out, { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', out], { stdio: 'inherit' })

// The compiler leaves `.ts` in what types are imported from.
for (const file of globSync('**/*.d.ts', { cwd: out })) {
  const types = readFileSync(join(out, file), 'utf8')
  writeFileSync(join(out, file), types.replace(/(from |import\()(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1$2.js$3'))
}

// What is read at run time and is no TypeScript: the schemas.
for (const file of globSync('**/*.*', { cwd: join(root, 'src') }).filter((file) => !file.endsWith('.ts'))) {
  mkdirSync(dirname(join(out, file)), { recursive: true })
  cpSync(join(root, 'src', file), join(out, file))
}
