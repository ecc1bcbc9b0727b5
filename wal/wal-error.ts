/**
 * What can go wrong with the log, by stable code. Whoever drives the log decides by `code` whether
 * the node stops (damage, failure) or refuses work (full); nobody parses the text.
 */

export type WalErrorCode =
  /** A record or header that was once durable cannot be read back. */
  | 'HOLO_WAL_DAMAGED'
  /** A segment between two others is not there. */
  | 'HOLO_WAL_MISSING_SEGMENT'
  /** A segment of another log lies in the directory. */
  | 'HOLO_WAL_FOREIGN_SEGMENT'
  /** Written by a version of the format that this build does not know. */
  | 'HOLO_WAL_UNSUPPORTED_VERSION'
  /** The operating system could not read or mend a file at start. */
  | 'HOLO_WAL_UNREADABLE'
  /** More appended than `pendingBytesMax` allows; ask `hasRoom` first. */
  | 'HOLO_WAL_FULL_BUFFER'
  /** A record larger than `recordBytesMax`. */
  | 'HOLO_WAL_RECORD_TOO_LARGE'
  /** More `commit` calls waiting than `commitsWaitingMax` allows. */
  | 'HOLO_WAL_TOO_MANY_COMMITS'
  /** No room for another segment; nothing was written, a later commit tries again. */
  | 'HOLO_WAL_DISK_FULL'
  /** A write or sync failed: what is on disk is unknown, and this log never writes again. */
  | 'HOLO_WAL_FAILED'
  /** The log's last life in this process still has a write under way; open it a little later. */
  | 'HOLO_WAL_BUSY'
  | 'HOLO_WAL_CLOSED'
  | 'HOLO_WAL_BAD_OPTION';

interface WalErrorPlace {
  /** Path of the segment file. */
  readonly file?: string;
  /** Byte offset in the file. */
  readonly offset?: number;
  readonly lsn?: number;
}

export class WalError extends Error {
  override readonly name = 'WalError';
  readonly code: WalErrorCode;
  readonly file: string | undefined;
  readonly offset: number | undefined;
  readonly lsn: number | undefined;

  constructor(code: WalErrorCode, message: string, place: WalErrorPlace = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = place.file;
    this.offset = place.offset;
    this.lsn = place.lsn;
  }
}

/** True for the errors by which an operating system says that a disk or a quota is full. */
export function isDiskFull(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function diskFull(directory: string, what: string, cause?: Error): WalError {
  const place = { file: directory };
  return new WalError('HOLO_WAL_DISK_FULL', `${directory}: ${what}`, place, cause);
}
