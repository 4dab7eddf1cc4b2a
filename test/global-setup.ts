/** One PostgreSQL server for a whole test run, without fsync; TEST_DATABASE_URL names another server instead. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openEmbeddedPostgres } from '../src/app/postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    serverUrl: string
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (process.versions.node < '24') throw new Error(`tests need Node 24, this is ${process.version}: use npm test`)
  const given = process.env.TEST_DATABASE_URL
  if (given) {
    project.provide('serverUrl', given)
    return undefined
  }
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-test-'))
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '128MB' }
  const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres'), settings })
  const release = await guard(directory)
  project.provide('serverUrl', postgres.url)
  return async () => {
    await postgres.close()
    await rm(directory, { recursive: true, force: true })
    release()
  }
}

/** Stops the server and removes its directory if this process dies without tearing down: then the pipe reaches its end. */
async function guard(directory: string): Promise<() => void> {
  const pidFile = await readFile(join(directory, 'postgres', 'data', 'postmaster.pid'), 'utf8')
  const pid = pidFile.split('\n')[0] ?? ''
  const script = 'read -r done || { kill -QUIT "$0"; sleep 1; rm -rf "$1"; }'
  const stdio = ['pipe', 'ignore', 'ignore'] as const
  const child = spawn('/bin/sh', ['-c', script, pid, directory], { detached: true, stdio: [...stdio] })
  child.unref()
  return () => child.stdin.end('done\n')
}
