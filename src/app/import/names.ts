/** Names of others as ids of ours, the same every time. */

/** The text as an id of ours can have it: characters that mean something in a path become hyphens, quotes go. */
export function asIdentifier(text: string): string {
  const plain = text
    .replaceAll(/[/\\?#%@<>]+/g, '-')
    .replaceAll(/['"]/g, '')
    .replaceAll(/\p{Z}+/gu, ' ')
    .replaceAll(/\p{C}/gu, '')
    .trim()
    .slice(0, 200)
    .trim()
  return plain === '.' || plain === '..' ? '' : plain
}

/** `Blue T-Shirt, Größe M` → `blue-t-shirt-größe-m`. */
export const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/['"’]/g, '')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 150)
