/**
 * The lineage on disk: two slots of one preallocated file, written in turn and in place, so that a
 * torn write costs the newer one alone and a full disk cannot refuse it. Beside it the store's own
 * mark, which goes where the store goes.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type FoundStore, type LineageState, NEW_LINEAGE } from '../../log/lineage.ts';

const LINEAGE = 'lineage';
const STORE_MARK = 'lineage.json';
const STORE_DATA = 'data.mdb';
const DAMAGE_NOTE = 'damaged';
const SLOT_BYTES = 4096;
const FILE_MODE = 0o600;

export class LineageFile {
  readonly #path: string;
  /** False: nothing was there, or nothing that can be read. */
  readonly existed: boolean;
  readonly state: LineageState;
  #turn: number;
  /** Kept open: the log must not fail for want of a descriptor. */
  #file: number | undefined;

  constructor(directory: string) {
    this.#path = join(directory, LINEAGE);
    const slots = [0, 1].map((slot) => readSlot(this.#path, slot));
    const turns = slots.map((slot) => slot?.turn ?? 0);
    this.#turn = Math.max(...turns);
    const newest = slots[turns.indexOf(this.#turn)];
    this.existed = newest !== undefined;
    this.state = newest?.state ?? NEW_LINEAGE;
  }

  /** Durable when it returns. */
  save(state: LineageState): void {
    const turn = this.#turn + 1;
    const text = JSON.stringify({ turn, state });
    const slot = Buffer.alloc(SLOT_BYTES, ' ');
    slot.write(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`, 'latin1');
    const isFirst = this.#turn === 0;
    this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
    const file = this.#file;
    if (isFirst) writeSync(file, Buffer.alloc(2 * SLOT_BYTES, ' '), 0, 2 * SLOT_BYTES, 0);
    writeSync(file, slot, 0, SLOT_BYTES, (turn % 2) * SLOT_BYTES);
    fdatasyncSync(file);
    if (isFirst) syncDirectory(dirname(this.#path));
    this.#turn = turn;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function readSlot(
  path: string,
  slot: number,
): { readonly turn: number; readonly state: LineageState } | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  const line = content.slice(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES).trimEnd();
  const text = line.slice(9);
  if (text === '' || Number.parseInt(line.slice(0, 8), 16) !== crc32(text)) return undefined;
  const { turn, state } = JSON.parse(text);
  return { turn, state: { ...NEW_LINEAGE, ...state } };
}

export function findStore(directory: string): FoundStore | undefined {
  const bytes = statSync(join(directory, STORE_DATA), { throwIfNoEntry: false })?.size;
  let storeId: string | undefined;
  try {
    storeId = String(JSON.parse(readFileSync(join(directory, STORE_MARK), 'utf8')).storeId);
  } catch {
    storeId = undefined;
  }
  return bytes === undefined ? undefined : { storeId, bytes };
}

/** The mark of a store that has none yet; durable when it returns. */
export function markStore(directory: string, storeId: string): void {
  mkdirSync(directory, { recursive: true });
  const file = openSync(join(directory, STORE_MARK), 'w', FILE_MODE);
  try {
    writeSync(file, `${JSON.stringify({ storeId })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncDirectory(directory);
  syncDirectory(dirname(directory));
}

/** A start that may begin the store anew finds the note. It goes with the store's directory. */
export function noteDamage(directory: string, what: string): void {
  writeFileSync(join(directory, DAMAGE_NOTE), `${what}\n`, { mode: FILE_MODE });
}

export function isNotedDamaged(directory: string): boolean {
  return existsSync(join(directory, DAMAGE_NOTE));
}

/** Durable when it returns. */
export function removeStore(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  syncDirectory(dirname(directory));
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
