/** Media in a directory: `ab/abcdef…/medium.webp`, and drafts beside them so that keeping one is a rename. */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { MediaFiles, OpenFile } from '../files.ts'

export function directoryFiles(root: string): MediaFiles {
  const drafts = join(root, 'drafts')
  const folderOf = (hash: string) => join(root, hash.slice(0, 2), hash)
  return {
    async draft() {
      const folder = join(drafts, randomUUID())
      await mkdir(folder, { recursive: true })
      return folder
    },
    discard: (draft) => rm(draft, { recursive: true, force: true }),

    /** Each file is on the disk before it has its name, and the name before it is answered. */
    async keep(hash, draft) {
      const folder = folderOf(hash)
      await mkdir(folder, { recursive: true })
      for (const name of await readdir(draft)) {
        await sync(join(draft, name))
        await rename(join(draft, name), join(folder, name))
      }
      await sync(folder)
      await sync(dirname(folder))
      await rm(draft, { recursive: true, force: true })
    },

    async open(hash, name) {
      const handle = await open(join(folderOf(hash), name)).catch(unlessMissing)
      if (!handle) return undefined
      const { size } = await handle.stat()
      return {
        bytes: size,
        read: (range) => handle.createReadStream(range && { start: range.from, end: range.to }),
        close: () => handle.close(),
      } satisfies OpenFile
    },

    async lend(hash, name, draft) {
      const lent = await link(join(folderOf(hash), name), join(draft, name)).then(() => true, unlessMissing)
      return lent ?? false
    },

    remove: (hash) => rm(folderOf(hash), { recursive: true, force: true }),

    async removeDrafts(olderThanMs) {
      for (const name of (await readdir(drafts).catch(unlessMissing)) ?? []) {
        const made = await stat(join(drafts, name)).catch(unlessMissing)
        if (made && Date.now() - made.mtimeMs > olderThanMs)
          await rm(join(drafts, name), { recursive: true, force: true })
      }
    },
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
