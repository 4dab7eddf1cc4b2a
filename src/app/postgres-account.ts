/**
 * Runs PostgreSQL's own programs, as a user they accept: they refuse root, so under root they run as the owner of the
 * data directory, else as `postgres`, else as `nobody`.
 */
import { spawn } from 'node:child_process'
import { chown, readFile, stat } from 'node:fs/promises'

export interface Account {
  /** Hands a file or folder over to the server's user. */
  own(path: string): Promise<void>
  /** Runs a program to its end; throws a ProgramFailed with its output unless it exits with 0. */
  run(program: string, args: string[]): Promise<void>
}

export class ProgramFailed extends Error {
  readonly output: string
  constructor(program: string, output: string) {
    super(`${program} failed: ${output}`)
    this.output = output
  }
}

interface Identity {
  uid: number
  gid: number
}

/** `directory` holds the cluster; `program` is any of the binaries, tried once to see whether the user can reach both. */
export async function serverAccount(directory: string, program: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { own: async () => {}, run: (name, args) => run(name, args, directory) }
  const user = await unprivilegedUser(directory)
  const own = (path: string) => chown(path, user.uid, user.gid)
  await own(directory)
  const reach = ['-c', '"$0" --version && cd "$1"', program, directory]
  const reachable = await run('/bin/sh', reach, '/', user).then(
    () => true,
    () => false,
  )
  if (reachable) return { own, run: (name, args) => run(name, args, directory, user) }

  // The checkout or the data lies below a folder closed to that user (/root, mktemp -d). It may pass file permissions
  // then, and nothing else of root's: initdb, pg_ctl and postgres accept this since they only look at the user id.
  const asUser = ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups']
  const passing = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--']
  const through = (name: string, args: string[]) => run('setpriv', [...asUser, ...passing, name, ...args], directory)
  await through('/bin/sh', reach).catch((error: Error) => {
    throw new Error(
      `PostgreSQL does not run as root, and user id ${user.uid} cannot reach both ${program} and ${directory}. ` +
        `Run as another user, or move LOCKSTEP_DATA (and the checkout) to folders all can enter. (${error.message})`,
    )
  })
  return { own, run: through }
}

async function unprivilegedUser(directory: string): Promise<Identity> {
  const owner = await stat(directory)
  if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find((fields) => fields[0] === name)
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody. Set DATABASE_URL.')
}

function run(program: string, args: string[], cwd: string, user?: Identity): Promise<void> {
  return new Promise((resolve, reject) => {
    // Its own process group: Ctrl-C in the terminal must not stop an initdb or a pg_ctl half-way.
    const child = spawn(program, args, { cwd, ...user, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (text) => (output += text))
    child.stderr.on('data', (text) => (output += text))
    child.on('error', (error) => reject(new ProgramFailed(program, error.message)))
    child.on('close', (code) => (code === 0 ? resolve() : reject(new ProgramFailed(program, output.trim()))))
  })
}
