/** One PostgreSQL server for a whole test run, without fsync; TEST_DATABASE_URL names another server instead. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile } from 'node:fs/promises'
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
  if (Number(process.versions.node.split('.')[0]) < 24)
    throw new Error(`tests need Node 24, this is ${process.version}: use npm test`)
  const given = process.env.TEST_DATABASE_URL
  if (given) {
    project.provide('serverUrl', given)
    return undefined
  }
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-test-'))
  const settings = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    shared_buffers: '128MB',
    max_connections: '300',
  }
  const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres'), settings })
  const release = await guard(directory)
  project.provide('serverUrl', postgres.url)
  return async () => {
    await postgres.close()
    await release()
  }
}

/**
 * Stops the server and removes its directory when released, and also if this process dies without tearing down: either
 * way the pipe reaches its end.
 */
async function guard(directory: string): Promise<() => Promise<void>> {
  const pidFile = await readFile(join(directory, 'postgres', 'data', 'postmaster.pid'), 'utf8')
  const pid = pidFile.split('\n')[0] ?? ''
  const script = 'read -r line; kill -QUIT "$0" && sleep 1; rm -rf "$1"'
  const child = spawn('/bin/sh', ['-c', script, pid, directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  return async () => {
    child.ref()
    child.stdin.end()
    await once(child, 'exit')
  }
}
