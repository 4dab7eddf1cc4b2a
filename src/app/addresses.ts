/** Where the servers on a data directory answer: a file each, named by its process, so that a command finds those beside it. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const folder = (dataDirectory: string) => join(dataDirectory, 'serving')

/** Tells where this process answers; the function it gives takes that back. A folder that can't be written keeps nobody from serving. */
export async function announce(dataDirectory: string, url: string): Promise<() => Promise<void>> {
  const file = join(folder(dataDirectory), String(process.pid))
  try {
    await mkdir(folder(dataDirectory), { recursive: true })
    await writeFile(file, url)
  } catch {}
  return () => rm(file, { force: true }).catch(() => {})
}

/** What processes that still live have told, in no order. What one left behind that was killed is removed. */
export async function announced(dataDirectory: string): Promise<string[]> {
  const pids = await readdir(folder(dataDirectory)).catch(() => [])
  const urls = await Promise.all(
    pids.map(async (pid) => {
      const file = join(folder(dataDirectory), pid)
      if (lives(Number(pid))) return readFile(file, 'utf8').catch(() => '')
      await rm(file, { force: true }).catch(() => {})
      return ''
    }),
  )
  return urls.filter((url) => url !== '')
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
