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
    const is = await stat(path).catch(() => undefined)
    if (is?.isDirectory()) return
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path || (await isFolder(above))) throw error
    await made(above)
    await mkdir(path, mode).catch(async (again) => {
      if (!(await isFolder(path))) throw again // another process was not faster
    })
  }
}

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false
