/** A process of its own: leaves the embedded server of a directory for one that ended before it could. */
import { leaveFor } from './postgres.ts'

await leaveFor(process.argv[2] as string)
