/** The program: `lockstep <command>`. Each command is a file in cli/ and loads what it needs when it runs. */
import { enableCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { explainFailure } from './cli/failure.ts'
import { buildProgram } from './cli/program.ts'

// Before it is collected the heap may double, instead of growing fourfold: less memory for a little time.
setFlagsFromString('--heap-growing-percent=100')
enableCompileCache()

// Whoever read our data has enough, as in `lockstep events tail | head`: come to an end in order.
process.stdout.on('error', () => process.emit('SIGTERM'))

const program = buildProgram()
const given = process.argv.slice(2)
try {
  await program.parseAsync(given.length === 0 ? ['serve'] : given, { from: 'user' })
} catch (error) {
  const debug = program.opts<{ debug?: boolean }>().debug ?? given.includes('--debug')
  process.exitCode = await explainFailure(error, debug)
}
