/** What a misspelt word may have meant. */

/** Numbers and very short words are taken as they are: nearly anything is near them. */
export const correctable = (word: string) => word.length >= 3 && word.length <= 40 && !/^\p{N}+$/u.test(word)

/** Of the candidates those nearest to the word (all equally near ones, at most five): itself if it is among them, nothing if none is near. */
export function nearest(word: string, candidates: string[]): string[] {
  const farthest = word.length < 5 ? 1 : 2
  const measured = candidates.map((candidate) => ({ candidate, distance: apart(word, candidate) }))
  const best = Math.min(farthest, ...measured.map(({ distance }) => distance))
  return measured
    .filter(({ distance }) => distance === best)
    .map(({ candidate }) => candidate)
    .slice(0, 5)
}

/** Edits from one to the other, a swapped pair counting once; the beginning of a longer word is one edit away from it. */
function apart(asked: string, known: string): number {
  return asked !== known && known.startsWith(asked) ? 1 : edits(asked, known)
}

/** The optimal string alignment distance (Damerau 1964 without overlapping edits). */
export function edits(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const at = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + differs)
      row.push(swapped ? Math.min(at, (before[j - 2] ?? 0) + 1) : at)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
