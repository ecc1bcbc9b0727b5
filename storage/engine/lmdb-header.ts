/**
 * Checks LMDB's file before the library maps it: the library would follow a damaged header out of
 * the file (SIGSEGV, SIGBUS). Two meta pages, each in its own page:
 *
 *    24  magic u32, version u32        48  page size u32 (in the first database's record)
 *    88  root of the free list, u64   136  root of the main database, u64
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const NO_PAGE = 0xffffffffffffffffn;
const META_BYTES = 160;
const PAGE_BYTES_MAX = 65_536;

/** The problem of the file; undefined if there is none, or if it cannot be opened. */
export function lmdbHeaderProblem(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // The library reports the reason.
    return undefined;
  }
  try {
    const { size } = fstatSync(file);
    // A crash while it was created leaves an empty file: the library creates it again.
    if (size === 0) return undefined;
    const head = Buffer.alloc(PAGE_BYTES_MAX + META_BYTES);
    const bytes = readSync(file, head, 0, head.length, 0);
    return headerProblem(head.subarray(0, bytes), size);
  } finally {
    closeSync(file);
  }
}

function headerProblem(head: Buffer, size: number): string | undefined {
  if (head.length < META_BYTES) return `it has ${size} bytes`;
  const pageBytes = head.readUInt32LE(48);
  const isPower =
    pageBytes >= 512 && pageBytes <= PAGE_BYTES_MAX && (pageBytes & -pageBytes) === pageBytes;
  if (!isPower) return `its page size is ${pageBytes}`;
  for (const at of [0, pageBytes]) {
    if (head.length < at + META_BYTES) return `it has ${size} bytes`;
    const meta = head.subarray(at, at + META_BYTES);
    if (meta.readUInt32LE(24) !== MAGIC || meta.readUInt32LE(28) !== VERSION) {
      return `the meta page at byte ${at} is not one`;
    }
    for (const root of [meta.readBigUInt64LE(88), meta.readBigUInt64LE(136)]) {
      if (root !== NO_PAGE && (root + 1n) * BigInt(pageBytes) > BigInt(size)) {
        return `the meta page at byte ${at} names page ${root}, the file has ${size} bytes`;
      }
    }
  }
  return undefined;
}
