/**
 * The errors of the log, by stable code. The caller decides by `code`, never by the text, whether
 * the node stops (damage, failure) or refuses work (full).
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
  /** More appended than `pendingBytesMax` allows. */
  | 'HOLO_WAL_FULL_BUFFER'
  /** A record larger than `recordBytesMax`. */
  | 'HOLO_WAL_RECORD_TOO_LARGE'
  /** More `commit` calls waiting than `commitsWaitingMax` allows. */
  | 'HOLO_WAL_TOO_MANY_COMMITS'
  /** No room for another segment; nothing was written, a later commit tries again. */
  | 'HOLO_WAL_DISK_FULL'
  /** A write or sync failed: what is on disk is unknown, and this log never writes again. */
  | 'HOLO_WAL_FAILED'
  /** A write of the log's last life in this process is still in flight; open it a little later. */
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

/** True for the operating system's errors that mean a full disk or quota. */
export function isDiskFull(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function diskFull(directory: string, what: string, cause?: Error): WalError {
  const place = { file: directory };
  return new WalError('HOLO_WAL_DISK_FULL', `${directory}: ${what}`, place, cause);
}
