/**
 * The topic of a hint is a short fixed-size name for a long one: topics are limited to 200 characters,
 * names are not, and a name may hold any character. Two names may meet in one topic; then a hint is
 * spurious, which hints may be anyway.
 */

/** FNV-1a over UTF-16 units, twice with different starts: 64 bits in 16 hex digits. */
export function topicOf(kind: string, namespace: string, name: string): string {
  const text = `${namespace}\n${name}`
  return `${kind}:${hash(text, 0x811c9dc5)}${hash(text, 0x050c5d1f)}`
}

function hash(text: string, start: number): string {
  let value = start
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(8, '0')
}
