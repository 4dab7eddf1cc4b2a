#!/usr/bin/env node
// Starts the program: what was built, or the TypeScript itself in a clone without a build; on the Node that comes with the package when this one
// is too old for either.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const built = new URL('../dist/app/cli.js', import.meta.url)
const program = existsSync(built) ? built : new URL('../src/app/cli.ts', import.meta.url)

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(program.href)
} else {
  let node
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    node = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    console.error(
      `error lockstep needs Node 24, this is ${process.version}\nnext  npm ci, which brings it, or use Node 24`,
    )
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(program), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`error ${node} does not start: ${error.message}\nnext  npm ci`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
      process.kill(process.pid, signal)
    } else process.exit(code ?? 1)
  })
}
