/**
 * The cost of the log beside the bare disk: commit latency, records and bytes per second, what the
 * preparation of a segment does to commits that run meanwhile, and how fast a log is read back.
 *
 *     npm run bench -- wal [--directory <path>] [--seconds <per row>]
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import type { DiskFile } from '../../wal/disk.ts';
import { NodeDisk, type SyncMethod } from '../../wal/node-disk.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';

const MIB = 1024 * 1024;
const SEGMENT_BYTES = 16 * MIB;

interface Shape {
  readonly records: number;
  readonly payloadBytes: number;
}

const SHAPES: readonly Shape[] = [
  { records: 1, payloadBytes: 100 },
  { records: 16, payloadBytes: 100 },
  { records: 256, payloadBytes: 100 },
  { records: 16, payloadBytes: 1000 },
  { records: 16, payloadBytes: 16_384 },
];

interface Row {
  readonly name: string;
  readonly commits: number;
  readonly seconds: number;
  readonly latency: RecordableHistogram;
  readonly cpuUs: number;
  readonly loopUs: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      directory: { type: 'string', default: tmpdir() },
      seconds: { type: 'string', default: '1.5' },
    },
  });
  const seconds = Number(values.seconds);
  const directory = mkdtempSync(join(values.directory, 'holostore-bench-wal-'));
  try {
    for (const shape of SHAPES) await compare(directory, shape, seconds);
    await preparation(directory);
    await readBack(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compare(directory: string, shape: Shape, seconds: number): Promise<void> {
  const bytes = shape.records * (shape.payloadBytes + 24);
  const rows = [
    await bareLoop(directory, bytes, seconds),
    await bareFile(directory, bytes, seconds, 'fdatasync'),
    await bareFile(directory, bytes, seconds, 'dsync'),
    await logLoop(directory, shape, seconds, false),
    await logLoop(directory, shape, seconds, true),
  ];
  console.log(`\n${shape.records} records of ${shape.payloadBytes} B per commit`);
  const headings = ['', 'p50 µs', 'p99 µs', 'max ms', 'records/s', 'MB/s', 'CPU µs', 'loop µs'];
  const table = new Table({ head: headings, style: { head: [], border: [] } });
  for (const row of rows) {
    const perSecond = row.commits / row.seconds;
    table.push([
      row.name,
      row.latency.percentile(50) / 1000,
      row.latency.percentile(99) / 1000,
      (row.latency.max / 1e6).toFixed(1),
      Math.round(perSecond * shape.records),
      ((perSecond * shape.records * shape.payloadBytes) / 1e6).toFixed(1),
      Math.round(row.cpuUs / row.commits),
      Math.round(row.loopUs / row.commits),
    ]);
  }
  console.log(table.toString());
}

/** Repeats `commit` one after the other; `loopUs` is what its synchronous part takes. */
async function measure(
  name: string,
  seconds: number,
  commit: (done: () => void) => void,
): Promise<Row> {
  const latency = createHistogram();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  let commits = 0;
  let loopMs = 0;
  await new Promise<void>((resolve) => {
    const next = (): void => {
      const start = performance.now();
      commit(() => {
        const end = performance.now();
        latency.record(Math.max(1000, Math.round((end - start) * 1000) * 1000));
        commits += 1;
        if (end - begin > seconds * 1000) resolve();
        else setImmediate(next);
      });
      loopMs += performance.now() - start;
    };
    next();
  });
  const used = process.cpuUsage(cpu);
  return {
    name,
    commits,
    seconds: (performance.now() - begin) / 1000,
    latency,
    cpuUs: used.user + used.system,
    loopUs: loopMs * 1000,
  };
}

async function bareLoop(directory: string, bytes: number, seconds: number): Promise<Row> {
  const path = join(directory, 'bare');
  preallocate(path).close();
  const fd = openSync(path, 'r+');
  const content = randomBytes(bytes);
  let offset = 0;
  const row = await measure('pwrite + fdatasync, blocking', seconds, (done) => {
    writeSync(fd, content, 0, bytes, offset);
    fdatasyncSync(fd);
    offset = offset + 2 * bytes > SEGMENT_BYTES ? 0 : offset + bytes;
    done();
  });
  closeSync(fd);
  new NodeDisk().remove(path);
  return row;
}

async function bareFile(
  directory: string,
  bytes: number,
  seconds: number,
  syncMethod: SyncMethod,
): Promise<Row> {
  const path = join(directory, 'bare');
  preallocate(path).close();
  const file = new NodeDisk({ syncMethod }).open(path);
  const parts = [randomBytes(bytes)];
  let offset = 0;
  const row = await measure(`NodeDisk ${syncMethod}`, seconds, (done) => {
    file.writeAndSync(parts, offset, (error) => {
      if (error !== undefined) throw error;
      offset = offset + 2 * bytes > SEGMENT_BYTES ? 0 : offset + bytes;
      done();
    });
  });
  file.close();
  new NodeDisk().remove(path);
  return row;
}

async function logLoop(
  directory: string,
  shape: Shape,
  seconds: number,
  recycle: boolean,
): Promise<Row> {
  const path = join(directory, 'log');
  const log = openLog(path);
  const parts = [randomBytes(shape.payloadBytes)];
  const row = await measure(recycle ? 'log, recycling' : 'log, growing', seconds, (done) => {
    for (let index = 0; index < shape.records; index += 1) log.append(1, 2, parts);
    log.commit((error, durableLsn) => {
      if (error !== undefined) throw error;
      if (recycle && log.segments().length > 2) log.truncateBefore(durableLsn);
      done();
    });
  });
  const name = `${row.name} (${log.counters.rolls} rolls, ${log.counters.recycled} recycled)`;
  log.close();
  rmSync(path, { recursive: true });
  return { ...row, name };
}

/** Small commits while a 16 MiB segment is filled with zeroes: not at all, meanwhile, blocking. */
async function preparation(directory: string): Promise<void> {
  const disk = new NodeDisk();
  const headings = ['small commits while a segment is prepared', 'p50 µs', 'p99 µs', 'max ms'];
  const table = new Table({ head: headings, style: { head: [], border: [] } });
  const prepare = {
    'not at all': () => undefined,
    allocateLater: (file: DiskFile) => file.allocateLater(SEGMENT_BYTES, () => undefined),
    'allocate (blocking)': (file: DiskFile) => file.allocate(SEGMENT_BYTES),
  };
  for (const [name, action] of Object.entries(prepare)) {
    const latency = createHistogram();
    for (let round = 0; round < 8; round += 1) {
      const file = preallocate(join(directory, 'bare'));
      const next = disk.open(join(directory, 'next'));
      const parts = [randomBytes(500)];
      let offset = 0;
      let begun = false;
      const row = await measure(name, 0.05, (done) => {
        if (!begun) action(next);
        begun = true;
        offset += 500;
        file.writeAndSync(parts, offset, () => done());
      });
      latency.add(row.latency);
      file.close();
      next.close();
      disk.remove(join(directory, 'next'));
      disk.remove(join(directory, 'bare'));
    }
    const percentiles = [50, 99].map((each) => latency.percentile(each) / 1000);
    table.push([name, ...percentiles, (latency.max / 1e6).toFixed(1)]);
  }
  console.log(`\n${table.toString()}`);
}

async function readBack(directory: string): Promise<void> {
  const path = join(directory, 'log');
  const log = openLog(path);
  const parts = [randomBytes(100)];
  for (let round = 0; round < 200; round += 1) {
    for (let index = 0; index < 2000; index += 1) log.append(1, 2, parts);
    await new Promise<void>((resolve) => log.commit(() => resolve()));
  }
  log.close();
  const begin = performance.now();
  const again = openLog(path);
  const seconds = (performance.now() - begin) / 1000;
  const { records, payloadBytes } = again.replayed;
  again.close();
  const rate = Math.round(records / seconds).toLocaleString('en');
  const speed = (payloadBytes / 1e6 / seconds).toFixed(0);
  console.log(`\nreplay: ${records} records of 100 B, ${rate} records/s, ${speed} MB/s payload`);
}

function preallocate(path: string): DiskFile {
  const file = new NodeDisk().open(path);
  file.allocate(SEGMENT_BYTES);
  return file;
}

function openLog(path: string): WriteAheadLog {
  const options: WalOptions = { newLogId: randomBytes(16), segmentBytes: SEGMENT_BYTES };
  return WriteAheadLog.open(new NodeDisk(), path, options, () => undefined);
}
