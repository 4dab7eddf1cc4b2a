/** `lockstep verify`: proves what must always hold; exit code 6 when something does not. */
import { Command } from 'commander'
import type { Finding } from '../../engine/finding.ts'
import { paint, paintAside } from '../colours.ts'
import { exits } from './failure.ts'
import { examples } from './help.ts'
import { type Column, grouped, lasting, printList, say } from './output.ts'
import { inSystem } from './session.ts'

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('prove that the log is gapless, the ledger sums to the counters, and projections are as their sources')
    .action(() =>
      inSystem(command, async ({ db, system, format, signal }) => {
        const { rules, verify } = await import('../verify.ts')
        const { openDatabase } = await import('../../engine/database.ts')
        const known = await db<{ name: string }>`select name from lockstep.consumers`
        const all = rules(
          Object.values(system.services),
          known.map(({ name }) => name),
        )
        // On a big shop a rule takes longer than any statement of the program may.
        const patient = openDatabase(db.url, {
          name: system.engine.name,
          max: 2, // one asks, the other cancels
          deadlineMs: 0,
          idleInTransactionMs: 0,
        })
        const findings = await verify(
          patient,
          all,
          (rule, found, ms) => {
            const mark = found.length === 0 ? paintAside.green('✓') : paintAside.red('✗')
            const count = found.length === 0 ? '' : `${grouped(found.length)} findings, `
            say(`${mark} ${rule.name}  ${paintAside.dim(count + lasting(ms / 1_000))}`)
          },
          signal,
        ).finally(() => patient.close())
        printList(format, findings, columns)
        return findings.length === 0 ? exits.ok : exits.findings
      }),
    )
  return examples(command, 'lockstep verify', 'lockstep verify -o ndjson || echo "exit code $?"')
}

const columns: Column<Finding>[] = [
  { head: 'rule', value: ({ rule }) => rule },
  { head: 'what', value: ({ what }) => what, paint: (text) => paint.bold(text) },
  { head: 'detail', value: ({ detail }) => detail },
]
