/** Colours on a terminal alone: what goes into a pipe or a file stays plain, whatever CI or FORCE_COLOR say. */
import pc from 'picocolors'

/** NO_COLOR and `--no-color` turn them off on a terminal too. */
export const colours = (stream: { isTTY?: boolean }) => pc.createColors(pc.isColorSupported && stream.isTTY === true)

export const paint = colours(process.stdout)
export const paintAside = colours(process.stderr)
