/** The refusals at a node's start: real directories from which something was removed. */

import {
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lineage } from '../../../actors/log/lineage.ts';
import { DataDirectory } from '../../../actors/process/disk/data-directory.ts';
import { findStore, LineageFile, markStore } from '../../../actors/process/disk/lineage-file.ts';
import { isDataRefused } from '../../../actors/process/running-node.ts';
import { Arguments } from '../../../storage/arguments.ts';
import { NO_REPLY } from '../../../storage/commands/reply.ts';
import { LmdbEngine } from '../../../storage/engine/lmdb-engine.ts';
import type { StateMachine } from '../../../storage/state-machine.ts';
import { StateMachines } from '../../../storage/state-machines.ts';
import { NodeDisk } from '../../../wal/node-disk.ts';
import type { WriteAheadLog } from '../../../wal/write-ahead-log.ts';
import { GROUP } from '../../storage/harness.ts';

const SEGMENT_BYTES = 64 * 1024;
const RECORD = Buffer.alloc(4_000, 'r');
const MEMBERS = [{ id: 1, host: 'a', port: 1 }];

let root: string;
const closers: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holo-lineage-'));
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(root, { recursive: true, force: true });
});

/** The parts of a node that its start checks, in the order of a start. */
class Life {
  readonly directory: DataDirectory;
  readonly lineage: Lineage;
  readonly log: WriteAheadLog;
  readonly machine: StateMachine;
  readonly #engine: LmdbEngine;
  #machines: StateMachines;
  readonly #file: LineageFile;
  #sequence: number;

  constructor(path: string, storeId = `store of ${path}`) {
    this.#file = new LineageFile(path);
    const file = this.#file;
    this.lineage = new Lineage(file.state, (state) => file.save(state));
    this.directory = DataDirectory.open({
      path,
      nodeId: 1,
      members: MEMBERS,
      electorate: [1],
      initialRanges: 1,
      replicationFactor: 9,
      rangesMax: 1,
      closingMax: 1,
      lineage: {
        existed: file.existed,
        revision: file.state.identityRevision,
        begin: () => file.save(this.lineage.state),
        onRevision: (identityRevision) => this.lineage.update({ identityRevision }),
      },
    });
    closers.push(() => this.directory.close());
    const options = {
      newLogId: Buffer.from(storeId.padEnd(16).slice(-16)),
      segmentBytes: SEGMENT_BYTES,
    };
    const flushed = (): number => this.machine?.flushedSequence ?? 0;
    const wal = join(path, 'wal');
    this.log = this.lineage.openLog(new NodeDisk(), wal, options, flushed, () => undefined);
    const store = join(path, 'store');
    const found = findStore(store);
    this.lineage.checkStore(store, found);
    if (found?.storeId === undefined) markStore(store, storeId);
    const engine = new LmdbEngine({ directory: store });
    this.#engine = engine;
    this.lineage.storeOpened(store, found?.storeId ?? storeId, engine.appliedTotal);
    const limits = { cacheBytesMax: 1e6, dirtyBytesMax: 1e6 };
    this.#machines = new StateMachines({
      engine,
      groups: [GROUP],
      ...limits,
      tableHashKey: [1, 2],
    });
    this.machine = this.#machines.of(GROUP.id) as StateMachine;
    this.#sequence = this.machine.appliedSequence;
  }

  /** Transactions that are logged, executed and flushed; the log rolls on the way. */
  async write(count: number): Promise<void> {
    const args = new Arguments();
    for (let at = 0; at < count; at += 1) {
      this.log.append(0, 1, [RECORD]);
      await new Promise<void>((done, fail) => {
        this.log.commit((error) => (error === undefined ? done() : fail(error)));
      });
      this.#sequence += 1;
      const key = `k${String(this.#sequence).padStart(6, '0')}`;
      const text = `*3\r\n$3\r\nSET\r\n$7\r\n${key}\r\n$1000\r\n${'v'.repeat(1000)}\r\n`;
      this.machine.begin({ hlc: this.#sequence * 1000, flags: 1, node: 1, store: 0 });
      args.next(Buffer.from(text), 0);
      this.machine.run(args, NO_REPLY);
      this.machine.commit(this.#sequence);
    }
    await new Promise<void>((done, fail) => {
      this.#machines.flush((error) => (error === undefined ? done() : fail(error)));
    });
  }

  /** A running node does this at intervals. */
  mark(): void {
    const storeBytes = findStore(join(this.directory.path, 'store'))?.bytes ?? 0;
    const storeSequence = this.machine.flushedSequence;
    this.lineage.update({ durableLsn: this.log.durableLsn, storeSequence, storeBytes });
  }

  async end(): Promise<void> {
    this.log.close();
    await new Promise<void>((done) => this.#engine.close(done));
    this.#file.close();
    this.directory.close();
  }
}

async function usedDirectory(name = 'node-1'): Promise<string> {
  const path = join(root, name);
  const life = new Life(path);
  await life.write(60);
  life.mark();
  await life.end();
  return path;
}

/** The code of the refusal; the message is one line that names a file of the directory. */
async function refusal(path: string): Promise<string> {
  try {
    const life = new Life(path);
    closers.push(() => life.end());
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    for (const close of closers.splice(0)) await close();
    expect(message).not.toContain('\n');
    expect(message).toContain(path);
    expect(isDataRefused(error)).toBe(true);
    return code;
  }
  return 'accepted';
}

function segments(path: string): string[] {
  const names = readdirSync(join(path, 'wal')).filter((name) => name.startsWith('wal-'));
  return names.map((name) => join(path, 'wal', name));
}

function zero(path: string, from: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(statSync(path).size - from), 0, undefined, from);
}

test('a start after an end in order, and after none, is accepted', async () => {
  const path = await usedDirectory();
  const life = new Life(path);
  await life.write(60);
  // The process ends here: nothing is marked any more.
  await life.end();
  expect(await refusal(path)).toBe('accepted');
});

test('a first start that was interrupted anywhere is made again', async () => {
  const path = await usedDirectory();
  const cuts = [
    ['wal', 'store', 'identity.json'],
    ['wal', 'store', 'identity.json', 'lineage'],
  ];
  for (const cut of cuts) {
    const copy = join(root, cut.join('-'));
    cpSync(path, copy, { recursive: true });
    for (const name of cut) rmSync(join(copy, name), { recursive: true });
    // The record of a life that had only begun.
    if (existsSync(join(copy, 'lineage'))) rmSync(join(copy, 'lineage'));
    expect(await refusal(copy)).toBe('accepted');
  }
  // The identity is there, log and store are not, and nothing says that they ever were.
  const begun = join(root, 'begun');
  const file = new LineageFile(begun);
  const lineage = new Lineage(file.state, (state) => file.save(state));
  const directory = DataDirectory.open({
    path: begun,
    nodeId: 1,
    members: MEMBERS,
    electorate: [1],
    initialRanges: 1,
    replicationFactor: 9,
    rangesMax: 1,
    closingMax: 1,
    lineage: {
      existed: false,
      revision: 0,
      begin: () => file.save(lineage.state),
      onRevision: (identityRevision) => lineage.update({ identityRevision }),
    },
  });
  directory.close();
  file.close();
  expect(await refusal(begun)).toBe('accepted');
});

describe('refused, by name', () => {
  test.each<[string, string, (path: string) => void]>([
    [
      'rm -rf store',
      'HOLO_DATA_STORE_MISSING',
      (path) => rmSync(join(path, 'store'), { recursive: true }),
    ],
    [
      'rm -rf wal',
      'HOLO_DATA_LOG_MISSING',
      (path) => rmSync(join(path, 'wal'), { recursive: true }),
    ],
    [
      'an emptied wal',
      'HOLO_DATA_LOG_MISSING',
      (path) => {
        for (const name of readdirSync(join(path, 'wal'))) rmSync(join(path, 'wal', name));
      },
    ],
    ['the first segment gone', 'HOLO_DATA_LOG_CUT', (path) => rmSync(segments(path)[0] ?? '')],
    ['the last segment gone', 'HOLO_DATA_LOG_CUT', (path) => rmSync(segments(path).at(-1) ?? '')],
    [
      'a segment gone in the middle',
      'HOLO_WAL_MISSING_SEGMENT',
      (path) => rmSync(segments(path)[1] ?? ''),
    ],
    [
      'the last segment zeroed',
      'HOLO_DATA_LOG_CUT',
      (path) => zero(segments(path).at(-1) ?? '', 0),
    ],
    [
      'the second half of the last segment that has records zeroed',
      'HOLO_DATA_LOG_CUT',
      (path) => zero(segments(path).at(-1) ?? '', 4_096),
    ],
    [
      'every segment zeroed',
      'HOLO_WAL_DAMAGED',
      (path) => {
        for (const each of segments(path)) zero(each, 0);
      },
    ],
    [
      "the store's mark gone",
      'HOLO_DATA_STORE_MISSING',
      (path) => rmSync(join(path, 'store', 'lineage.json')),
    ],
    ['data.mdb gone', 'HOLO_DATA_STORE_MISSING', (path) => rmSync(join(path, 'store', 'data.mdb'))],
    [
      'data.mdb cut in half',
      'HOLO_DATA_STORE_CUT',
      (path) => halve(join(path, 'store', 'data.mdb')),
    ],
    [
      'data.mdb with zeroes for a header',
      'HOLO_STORE_DAMAGED',
      (path) => zero(join(path, 'store', 'data.mdb'), 0),
    ],
    ['the lineage gone', 'HOLO_DATA_DAMAGED', (path) => rmSync(join(path, 'lineage'))],
    ['the identity edited', 'HOLO_DATA_DAMAGED', (path) => edit(join(path, 'identity.json'))],
  ])('%s', async (_what, code, spoil) => {
    const path = await usedDirectory();
    spoil(path);
    expect(await refusal(path)).toBe(code);
    // And again: a refused start has changed nothing that would let the next one pass.
    expect(await refusal(path)).toBe(code);
  });

  test('an older identity put back over the present one', async () => {
    const path = await usedDirectory();
    const identity = join(path, 'identity.json');
    const older = readFileSync(identity);
    const life = new Life(path);
    await life.end();
    writeFileSync(identity, older);
    expect(await refusal(path)).toBe('HOLO_DATA_SET_BACK');
  });

  test('peers forgotten by an older identity', async () => {
    const path = join(root, 'node-1');
    const life = new Life(path);
    const older = readFileSync(join(path, 'identity.json'));
    const hello = {
      clusterId: 'c',
      nodeId: 2,
      diskId: 'ab'.repeat(16),
      incarnation: 1,
      unitWriteBytesMax: 1,
      formedId: 'dd'.repeat(16),
    };
    expect(life.directory.verifyPeer(hello)).toBeUndefined();
    await life.end();
    writeFileSync(join(path, 'identity.json'), older);
    expect(await refusal(path)).toBe('HOLO_DATA_SET_BACK');
  });

  test('store and log of another node', async () => {
    const path = await usedDirectory();
    const other = await usedDirectory('other');
    for (const [name, code] of [
      ['store', 'HOLO_DATA_STORE_FOREIGN'],
      ['wal', 'HOLO_DATA_LOG_FOREIGN'],
    ] as const) {
      const kept = join(root, `kept-${name}`);
      cpSync(join(path, name), kept, { recursive: true });
      rmSync(join(path, name), { recursive: true });
      cpSync(join(other, name), join(path, name), { recursive: true });
      expect(await refusal(path)).toBe(code);
      rmSync(join(path, name), { recursive: true });
      cpSync(kept, join(path, name), { recursive: true });
    }
    expect(await refusal(path)).toBe('accepted');
  });

  test('a store that is older than what the log was cut to', async () => {
    const path = await usedDirectory();
    const older = join(root, 'older');
    cpSync(join(path, 'store'), older, { recursive: true });
    const life = new Life(path);
    await life.write(60);
    // The cut alone writes down what the store must hold.
    life.log.truncateBefore(life.log.durableLsn);
    await life.end();
    rmSync(join(path, 'store'), { recursive: true });
    cpSync(older, join(path, 'store'), { recursive: true });
    expect(await refusal(path)).toBe('HOLO_DATA_STORE_CUT');
  });
});

test('a torn write of the lineage costs its newer half alone', async () => {
  const path = await usedDirectory();
  const before = new LineageFile(path);
  const lineage = join(path, 'lineage');
  before.save({ ...before.state, durableLsn: before.state.durableLsn });
  before.close();
  const turns = [0, 4096].map(
    (at) => /"turn":(\d+)/.exec(readFileSync(lineage, 'latin1').slice(at))?.[1],
  );
  const newer = Number(turns[0]) > Number(turns[1]) ? 0 : 4096;
  const file = openSync(lineage, 'r+');
  writeSync(file, 'torn', newer + 30);
  expect(new LineageFile(path).state).toEqual(before.state);
  expect(await refusal(path)).toBe('accepted');
});

function halve(path: string): void {
  truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
}

function edit(path: string): void {
  const identity = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...identity, incarnation: 7 }));
}
