/** A file that a command is given: looked for before anything is started. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { nearest } from '../../services/search/spelling.ts'
import { exits, Failure } from './failure.ts'

/** Throws the Failure `not found`, with the name that was probably meant, unless there is such a file. */
export async function mustBeFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Failure(exits.failed, `${path} can not be opened: ${(error as Error).message}`)
  })
  // What is neither, such as a pipe, is refused by whoever reads it.
  if (found?.isDirectory()) throw new Failure(exits.usage, `${path} is a folder`, 'name one file in it')
  if (found) return
  const folder = dirname(path)
  const names = await readdir(folder).catch(() => undefined)
  if (!names)
    throw new Failure(exits.notFound, `there is no file ${path}`, `there is no folder ${resolve(folder)} either`)
  const [meant] = nearest(basename(path), names)
  const next = meant === undefined ? `it was looked for in ${resolve(folder)}` : `did you mean ${join(folder, meant)}?`
  throw new Failure(exits.notFound, `there is no file ${path}`, next)
}
