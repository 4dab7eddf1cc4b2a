/**
 * The process that opens images and videos, one at a time: what breaks, hangs or eats memory does so here. It ends with the shop's process,
 * and yields to it: where processes compete, it gets a tenth of their time.
 */
import { constants, setPriority } from 'node:os'
import { GiveUp } from '../../engine/verdict.ts'
import { confineSharp, makeRenditions } from './renditions.ts'
import { videoDetails } from './video.ts'
import type { Job, Outcome } from './workshop.ts'

confineSharp()
try {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
} catch {
  // not everywhere allowed; then it competes like any other
}
process.on('disconnect', () => process.exit())
process.on('message', async (job: Job) => process.send?.(await outcomeOf(job)))

async function outcomeOf({ kind, file, folder, limits }: Job): Promise<Outcome> {
  try {
    const made = kind === 'image' ? await makeRenditions(file, folder, limits) : await videoDetails(file)
    return { made }
  } catch (error) {
    const { message } = error as Error
    return error instanceof GiveUp ? { refused: message } : { failed: message }
  }
}
