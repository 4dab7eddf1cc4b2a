/**
 * Runs PostgreSQL's own programs, as a user they accept: they refuse root, so under root they run as the owner of the
 * data directory, else as `postgres`, else as `nobody`.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { chown, readFile, stat } from 'node:fs/promises'

export interface Account {
  /** Hands a file or folder over to the server's user. */
  own(path: string): Promise<void>
  /** Runs a program to its end; throws a ProgramFailed with its output unless it exits with 0. */
  run(program: string, args: string[]): Promise<void>
  /** Starts a program that outlives this process and writes to an open file. */
  launch(program: string, args: string[], output: number): ChildProcess
}

export class ProgramFailed extends Error {
  readonly output: string
  constructor(command: string[], output: string) {
    super(`${command[0]} failed: ${output}`)
    this.output = output
  }
}

interface Identity {
  uid: number
  gid: number
}

/** `directory` holds the cluster; `initdb` is tried once to see whether the user can reach it and its siblings. */
export async function serverAccount(directory: string, initdb: string): Promise<Account> {
  const account = (prefix: string[], user?: Identity): Account => ({
    own: async (path) => user && chown(path, user.uid, user.gid),
    run: (name, args) => run([...prefix, name, ...args], { cwd: directory, ...(prefix.length === 0 && user) }),
    launch: (name, args, output) => {
      const stdio: SpawnOptions['stdio'] = ['ignore', output, output]
      return start([...prefix, name, ...args], { cwd: directory, ...(prefix.length === 0 && user), stdio })
    },
  })
  if (process.getuid?.() !== 0) return account([])

  const user = await unprivilegedUser(directory)
  await chown(directory, user.uid, user.gid)
  const reach = ['/bin/sh', '-c', '"$0" --show -D "$1" && cd "$1"', initdb, directory]
  const reachable = await run(reach, { cwd: '/', ...user }).then(
    () => true,
    () => false,
  )
  if (reachable) return account([], user)

  // The checkout or the data lies below a folder closed to that user (/root, mktemp -d). It may pass file permissions
  // then, and nothing else of root's. The programs look for each other with access(2), which heeds a capability of a
  // user other than root only under no_setuid_fixup.
  const identity = ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups']
  const passing = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--']
  const prefix = ['setpriv', ...identity, ...passing]
  await run([...prefix, ...reach], { cwd: '/' }).catch((error: Error) => {
    throw new Error(
      `PostgreSQL does not run as root, and user id ${user.uid} cannot reach both ${initdb} and ${directory}. ` +
        `Run as another user, or move LOCKSTEP_DATA (and the checkout) to folders all can enter. (${error.message})`,
    )
  })
  return account(prefix, user)
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

function run(command: string[], options: SpawnOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = start(command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text))
    child.on('error', (error) => reject(new ProgramFailed(command, error.message)))
    child.on('close', (code) => (code === 0 ? resolve() : reject(new ProgramFailed(command, output.trim()))))
  })
}

/** In a session of its own: Ctrl-C in the terminal must reach neither the server nor an initdb half-way. */
function start(command: string[], options: SpawnOptions): ChildProcess {
  const [program = '', ...args] = command
  return spawn(program, args, { ...options, detached: true, windowsHide: true })
}
