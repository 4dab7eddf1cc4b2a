/** Where the files of media are kept, by the hash of their content: the contract that every kind of storage fulfils. */
import type { Readable } from 'node:stream'

/** Bytes of a file, both inclusive. */
export interface Range {
  from: number
  to: number
}

export interface OpenFile {
  /** Of the whole file, whatever range was asked for. */
  bytes: number
  /** The range, or all of it. Destroy it if it is not read to its end. */
  read(range?: Range): Readable
  close(): Promise<void>
}

export interface MediaFiles {
  /** A new folder on this machine to make files in: of whoever asked, until they are kept or discarded. */
  draft(): Promise<string>
  discard(draft: string): Promise<void>
  /** Takes all files of a draft in under a hash, in place of any of the same names. They are durable once this resolves. */
  keep(hash: string, draft: string): Promise<void>
  /** Undefined if it is not there. */
  open(hash: string, name: string): Promise<OpenFile | undefined>
  /** Puts a kept file into a draft, to be worked at; false if it is not there. */
  lend(hash: string, name: string, draft: string): Promise<boolean>
  /** All that is kept under a hash; not being there is fine. */
  remove(hash: string): Promise<void>
  /** Removes drafts that nobody can be working at any more. */
  removeDrafts(olderThanMs: number): Promise<void>
}

/** What a file came as, beside what was made of it. */
export const ORIGINAL = 'original'
