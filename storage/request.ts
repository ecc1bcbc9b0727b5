/** A request as a client would send it, for commands that a node gives itself. Pure. */

/** `words` are byte strings (latin1). */
export function requestOf(words: readonly string[]): Buffer {
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${bulks.join('')}`, 'latin1');
}
