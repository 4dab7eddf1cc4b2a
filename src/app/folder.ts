/** Folders of the program's own data. */
import { constants } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A folder that can't be made, or not be written to; says which setting to change. */
export class FolderUnusable extends Error {
  override name = 'FolderUnusable'
  constructor(path: string, why: string) {
    super(`LOCKSTEP_DATA can not be kept in ${path}: ${why}`)
  }
}

/** Makes a folder and those above it, unless it is there, and sees that it can be written to. Throws FolderUnusable. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await made(path, mode)
    await access(path, constants.W_OK)
  } catch (error) {
    throw new FolderUnusable(path, (error as Error).message)
  }
}

/** Node's own `recursive` never ends where a folder that is there takes none within, as /proc (nodejs/node, MKDirp: ENOENT, then EEXIST, and again). */
async function made(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, mode)
  } catch (error) {
    const { code } = error as { code?: string }
    if (await isFolder(path)) return
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path) throw error
    if (!(await isFolder(above))) await made(above)
    // Another process may have made what was missing, before the look above or after it.
    await mkdir(path, mode).catch(async (again) => {
      if (!(await isFolder(path))) throw again
    })
  }
}

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false
