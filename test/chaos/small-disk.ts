/**
 * A disk of so many megabytes that can be filled to the last byte: a tmpfs in a mount namespace of the program that works on it, gone with it. Root
 * mounts it as it is, anybody else in a user namespace, where he keeps his own number (the database's server refuses to be root).
 */
import { chmod, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const PIECE_BYTES = 1 << 16
const LAST_BYTES = 1 << 12

const disks: string[] = []
afterAll(async () => {
  for (const directory of disks.splice(0)) {
    for (const pid of await processesOn(directory)) process.kill(pid, 'SIGQUIT')
    await rm(directory, { recursive: true, force: true })
  }
})

/** The database's server lives on when its program was killed. */
async function processesOn(directory: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids.filter((_, n) => commands[n]?.includes(`-D\0${directory}/`)).map(Number)
}

export interface SmallDisk {
  /** As the program sees it. */
  directory: string
  /** What the program is to be started with. */
  within: string[]
  /** The same directory as seen from here, through that process. */
  seenThrough(pid: number): string
  /** Writes until nothing more can be. */
  fill(pid: number): Promise<void>
  free(pid: number): Promise<void>
}

export async function makeSmallDisk(megabytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-disk-'))
  await chmod(directory, 0o755)
  disks.push(directory)
  const own = process.getuid?.() === 0 ? [] : ['--map-current-user', '--keep-caps']
  const mount = `mount -t tmpfs -o size=${megabytes}m,mode=755 lockstep "$0" && exec "$@"`
  const seenThrough = (pid: number) => `/proc/${pid}/root${directory}`
  const ballast = (pid: number) => join(seenThrough(pid), 'ballast')
  return {
    directory,
    within: ['unshare', ...own, '--mount', 'sh', '-c', mount, directory],
    seenThrough,
    async fill(pid) {
      const file = await open(ballast(pid), 'a')
      for (const bytes of [PIECE_BYTES, LAST_BYTES]) {
        const piece = Buffer.alloc(bytes, 1)
        for (let full = false; !full; ) {
          full = await file.write(piece).then(
            ({ bytesWritten }) => bytesWritten < bytes,
            (error: { code?: string }) => {
              if (error.code === 'ENOSPC') return true
              throw error
            },
          )
        }
      }
      await file.close()
    },
    free: (pid) => rm(ballast(pid)),
  }
}
