/** How a command fails: what, why, what to do next, and the exit code. */
import { CommanderError } from 'commander'
import { Rejected } from '../../engine/decider.ts'
import { paintAside } from '../colours.ts'

export const exits = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  conflict: 5,
  findings: 6,
  unavailable: 7,
  interrupted: 130,
} as const
export type Exit = (typeof exits)[keyof typeof exits]

export const exitCodes =
  '0 ok · 1 failed · 2 usage · 3 not found · 4 not allowed · 5 conflict · 6 done, but there are findings · 7 unavailable or timed out · 130 interrupted'

/** A failure in words for a person. */
export class Failure extends Error {
  readonly exit: Exit
  readonly next: string | undefined
  constructor(exit: Exit, what: string, next?: string) {
    super(what)
    this.name = 'Failure'
    this.exit = exit
    this.next = next
  }
}

/** Tells stderr what went wrong and answers the exit code; the stack only when debugging. */
export async function explainFailure(error: unknown, debug: boolean): Promise<Exit> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok : exits.usage // it has told already
  const { exit, what, next } = await read(error)
  console.error(`${paintAside.red('error')} ${what}`)
  if (next) console.error(`${paintAside.dim('next ')} ${next}`)
  if (debug) console.error(error)
  return exit
}

async function read(error: unknown): Promise<{ exit: Exit; what: string; next?: string | undefined }> {
  if (error instanceof Failure) return { exit: error.exit, what: error.message, next: error.next }
  if (!(error instanceof Error)) return { exit: exits.failed, what: String(error), next: again }
  if (error instanceof Rejected) {
    return { exit: error.code === 'not-found' ? exits.notFound : exits.conflict, what: error.message }
  }
  switch (error.name) {
    case 'ConfigError':
      return { exit: exits.usage, what: error.message, next: 'correct it; `lockstep config` lists all settings' }
    case 'FolderUnusable':
      return { exit: exits.usage, what: error.message, next: 'set LOCKSTEP_DATA to a folder that can be written to' }
    case 'ImportRefused':
      return { exit: exits.failed, what: error.message, next: 'add --help to see how files are read' }
    case 'Unavailable':
    case 'OutcomeUnknown':
      return { exit: exits.unavailable, what: error.message, next: 'try again in a moment' }
    case 'LogBroken':
      if (error.message.startsWith('log went back')) {
        const next =
          '`lockstep losses ls` shows what is lost; started again it answers reads until `lockstep losses accept`'
        return { exit: exits.failed, what: error.message, next }
      }
      return {
        exit: exits.failed,
        what: `the event log is broken: ${error.message}`,
        next: 'restore the database to a state in which no event is missing; `lockstep verify` says what is',
      }
  }
  const { isInfrastructure } = await import('../../engine/database.ts')
  const code = (error as { code?: unknown }).code
  if (isInfrastructure(error) || (typeof code === 'string' && /^(28|3D)/.test(code))) {
    return {
      exit: exits.unavailable,
      what: `the database can't be used: ${messageOf(error)}`,
      next: '`lockstep doctor` looks at what it needs',
    }
  }
  return { exit: exits.failed, what: messageOf(error), next: again }
}

const again = 'run it again with --debug for the details'

/** A refused connection to a name with several addresses says nothing itself. */
function messageOf(error: Error): string {
  if (error.message) return error.message
  const causes = (error as Partial<AggregateError>).errors ?? []
  return causes.map((cause: Error) => cause.message).join('; ') || error.name
}
