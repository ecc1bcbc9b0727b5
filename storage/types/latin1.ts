/**
 * Byte strings: one char, one byte. Node's latin1 methods skip the look-up of the encoding by name,
 * but are missing from its type declarations.
 */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, at: number): number;
}

export function readLatin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as Latin1Buffer).latin1Slice(start, end);
}

/** Up to this length a loop is faster than a call into the runtime. */
const SHORT = 24;

/** Returns the bytes written; there must be room for all of them. */
export function writeLatin1(buffer: Buffer, text: string, at: number): number {
  const length = text.length;
  if (length > SHORT) return (buffer as Latin1Buffer).latin1Write(text, at);
  for (let i = 0; i < length; i += 1) buffer[at + i] = text.charCodeAt(i);
  return length;
}
