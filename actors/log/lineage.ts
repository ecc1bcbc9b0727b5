/**
 * The least that a node's disk must hold, recorded apart from the log and the store: the ids of
 * both, and their positions. A log or store that is missing, foreign or older must never pass for
 * an empty one: the node would deny its promises.
 *
 * All are lower bounds, each written after the fact itself is durable. The order around a cut: the
 * store's flush is durable, then its sequence is written here, then segments may retire.
 */
import type { Disk } from '../../wal/disk.ts';
import type { ReplayedRecord } from '../../wal/replay.ts';
import { readSegmentHeader, segmentName, sortNames } from '../../wal/segment.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';

export interface LineageState {
  /** Of the identity file: reveals an older copy of it. */
  readonly identityRevision: number;
  /** Null until the log, or the store, is first opened. */
  readonly logId: string | null;
  readonly storeId: string | null;
  /** First LSNs in the names of the oldest and the newest segment. */
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly durableLsn: number;
  readonly storeSequence: number;
  /** Size of the store's file, which never shrinks. */
  readonly storeBytes: number;
}

export const NEW_LINEAGE: LineageState = Object.freeze({
  identityRevision: 0,
  logId: null,
  storeId: null,
  firstSegment: 0,
  lastSegment: 0,
  durableLsn: 0,
  storeSequence: 0,
  storeBytes: 0,
});

type LineageErrorCode =
  | 'HOLO_DATA_LOG_MISSING'
  | 'HOLO_DATA_LOG_FOREIGN'
  | 'HOLO_DATA_LOG_CUT'
  | 'HOLO_DATA_STORE_MISSING'
  | 'HOLO_DATA_STORE_FOREIGN'
  | 'HOLO_DATA_STORE_CUT'
  | 'HOLO_DATA_SET_BACK';

/** Of a log. */
const REMEDY =
  'restore the original files; if they are lost, this node can never vote again under its name: ' +
  'do not start it, let another one join and take its place (holoctl add-node, replace)';
/** The log has all promises, and the other members have the data. */
export const STORE_REMEDY =
  'restore the original files, log and store together; if they are lost, start the node with ' +
  '--heal-store: it begins the store anew, from its log and the data of the other members';

/** The node must not start. `message` is one line for people. */
export class LineageError extends Error {
  readonly code: LineageErrorCode;

  constructor(code: LineageErrorCode, what: string) {
    super(`${what}: ${code.includes('_STORE_') ? STORE_REMEDY : REMEDY}`);
    this.name = 'LineageError';
    this.code = code;
  }
}

interface FoundLog {
  /** Undefined when no segment has a header that can be read. */
  readonly logId: string | undefined;
  readonly firstSegment: number;
  readonly lastSegment: number;
}

export interface FoundStore {
  /** Undefined when its mark is missing. */
  readonly storeId: string | undefined;
  readonly bytes: number;
}

export class Lineage {
  #state: LineageState;
  readonly #save: (state: LineageState) => void;

  /** `save` returns when the state is durable. */
  constructor(state: LineageState, save: (state: LineageState) => void) {
    this.#state = state;
    this.#save = save;
  }

  get state(): LineageState {
    return this.#state;
  }

  /**
   * Checks what is there, opens the log, and keeps the bounds from then on.
   *
   * @throws LineageError, WalError
   */
  openLog(
    disk: Disk,
    directory: string,
    options: WalOptions,
    storeSequence: () => number,
    onRecord: (record: ReplayedRecord) => void,
  ): WriteAheadLog {
    this.#checkLog(directory, findLog(disk, directory));
    const onSegments = (firstSegment: number, lastSegment: number, durableLsn: number): void => {
      const bounds = { firstSegment, lastSegment, durableLsn, storeSequence: storeSequence() };
      this.update(bounds);
    };
    const log = WriteAheadLog.open(disk, directory, { ...options, onSegments }, onRecord);
    try {
      this.#checkEnd(directory, log.durableLsn);
    } catch (error) {
      log.close();
      throw error;
    }
    this.update({
      logId: hex(log.logId),
      firstSegment: log.firstLsn,
      lastSegment: log.segments().at(-1)?.firstLsn ?? 0,
      durableLsn: log.durableLsn,
    });
    return log;
  }

  #checkLog(directory: string, found: FoundLog | undefined): void {
    const { logId, firstSegment, lastSegment } = this.#state;
    if (logId === null) return;
    if (found === undefined) {
      throw new LineageError('HOLO_DATA_LOG_MISSING', `${directory} holds no log`);
    }
    // Among several segments the log detects damage itself; a lone one it would replace.
    const isUnknown = found.logId === undefined && found.firstSegment === found.lastSegment;
    if (isUnknown || (found.logId !== undefined && found.logId !== logId)) {
      const what = `${directory} holds log ${found.logId ?? 'unknown'}, not ${logId} of this node`;
      throw new LineageError('HOLO_DATA_LOG_FOREIGN', what);
    }
    const lost = found.firstSegment > firstSegment ? firstSegment : lastSegment;
    if (found.firstSegment > firstSegment || found.lastSegment < lastSegment) {
      throw new LineageError('HOLO_DATA_LOG_CUT', `${directory}/${segmentName(lost)} is missing`);
    }
  }

  #checkEnd(directory: string, foundLsn: number): void {
    const { durableLsn } = this.#state;
    if (foundLsn >= durableLsn) return;
    const what = `${directory} ends at record ${foundLsn}, ${durableLsn} was durable`;
    throw new LineageError('HOLO_DATA_LOG_CUT', what);
  }

  /** @throws LineageError */
  checkStore(directory: string, found: FoundStore | undefined): void {
    const { storeId, storeBytes } = this.#state;
    if (storeId === null) return;
    if (found === undefined || found.storeId === undefined) {
      throw new LineageError('HOLO_DATA_STORE_MISSING', `${directory} holds no store`);
    }
    if (found.storeId !== storeId) {
      const what = `${directory} holds store ${found.storeId}, not ${storeId} of this node`;
      throw new LineageError('HOLO_DATA_STORE_FOREIGN', what);
    }
    if (found.bytes < storeBytes) {
      const what = `${directory} has ${found.bytes} bytes of data, it had ${storeBytes}`;
      throw new LineageError('HOLO_DATA_STORE_CUT', what);
    }
  }

  /** @throws LineageError */
  storeOpened(directory: string, storeId: string, sequence: number): void {
    const { storeSequence } = this.#state;
    if (sequence >= storeSequence) return this.update({ storeId });
    const what = `${directory} ends at transaction ${sequence}, ${storeSequence} was durable`;
    throw new LineageError('HOLO_DATA_STORE_CUT', what);
  }

  /** A store was begun anew in the place of the one before, whose bounds are void. */
  storeReplaced(storeId: string): void {
    this.#save({ ...this.#state, storeId, storeSequence: 0, storeBytes: 0 });
    this.#state = { ...this.#state, storeId, storeSequence: 0, storeBytes: 0 };
  }

  /** Bounds only ever rise; what is known already is not written again. */
  update(changes: Partial<LineageState>): void {
    const before = this.#state;
    const after = { ...before, ...changes };
    for (const name of ['durableLsn', 'storeSequence', 'storeBytes'] as const) {
      after[name] = Math.max(before[name], after[name]);
    }
    const names = Object.keys(after) as (keyof LineageState)[];
    if (names.every((name) => after[name] === before[name])) return;
    this.#save(after);
    this.#state = after;
  }
}

function findLog(disk: Disk, directory: string): FoundLog | undefined {
  const { live } = sortNames(disk.list(directory));
  const [firstSegment] = live;
  const lastSegment = live.at(-1);
  if (firstSegment === undefined || lastSegment === undefined) return undefined;
  const content = Buffer.from(disk.read(`${directory}/${segmentName(firstSegment)}`));
  const reading = readSegmentHeader(content);
  const logId = reading.kind === 'valid' ? hex(reading.header.logId) : undefined;
  return { logId, firstSegment, lastSegment };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
