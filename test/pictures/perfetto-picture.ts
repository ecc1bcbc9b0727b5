/**
 * A Perfetto file as ui.perfetto.dev lays it out, small enough for a page: processes with their
 * threads, slices by time, flows as arrows, and transactions as tracks of their own.
 */
import type { PerfettoFile, PerfettoRecord } from '../transport/trace/perfetto-rules.ts';
import { colourOf, element, picture, round, text } from './svg.ts';

const WIDTH = 1_360;
const LEFT = 216;
const RIGHT = 20;
const LANE = 21;
const HEAD = 58;
/** Characters of a lane's name, and width of one in a slice. */
const NAME_MAX = 34;
const CHAR = 5.6;

interface Lane {
  readonly key: string;
  readonly name: string;
  readonly isProcess: boolean;
}

interface Window {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Of the time around a transaction; `txn`: its name. */
export function perfettoPicture(file: PerfettoFile, txn: string): string {
  const { traceEvents: records } = file;
  const window = windowOf(records, txn);
  const seen = records.filter((record) => isIn(record, window));
  const txns = records.filter(({ ph, ts, name }) => {
    const end = records.find((other) => other.ph === 'e' && other.name === name);
    return (
      ph === 'b' && name.startsWith('txn ') && ts < window.toUs && (end?.ts ?? ts) > window.fromUs
    );
  });
  const lanes = lanesOf(records, seen, txns);
  const rows = new Map(lanes.map(({ key }, row) => [key, HEAD + row * LANE]));
  const height = HEAD + lanes.length * LANE + 16;
  const x = (us: number): number => {
    const share = (us - window.fromUs) / (window.toUs - window.fromUs);
    return LEFT + Math.min(1, Math.max(0, share)) * (WIDTH - LEFT - RIGHT);
  };
  const error = file.otherData.alignmentErrorUs?.toFixed(0) ?? '0';
  const title = `Transaction ${txn} in the Perfetto view: nodes, actors, messages; clocks ± ${error} us`;
  return picture(WIDTH, height, title, [
    text(10, 20, title, { 'font-size': 14, 'font-weight': 'bold' }),
    ...ruler(window, x, height),
    ...lanes.map((lane, row) => laneName(lane, HEAD + row * LANE)),
    ...seen.filter(({ ph }) => ph === 'X').map((slice) => sliceBox(slice, rows, x)),
    ...txns.flatMap((begin) => txnBar(begin, records, rows, x, window)),
    ...flowLines(seen, records, rows, x, window),
  ]);
}

function windowOf(records: readonly PerfettoRecord[], txn: string): Window {
  const of = (phase: string): number =>
    records.find(({ ph, name }) => ph === phase && name === `txn ${txn}`)?.ts ?? 0;
  const [from, to] = [of('b'), of('e')];
  const slack = Math.max(200, (to - from) * 0.06);
  return { fromUs: from - slack, toUs: to + slack };
}

function isIn({ ph, ts, dur = 0 }: PerfettoRecord, { fromUs, toUs }: Window): boolean {
  return ph !== 'M' && ts < toUs && ts + dur > fromUs;
}

function keyOf({ pid, tid }: { readonly pid: number; readonly tid: number }): string {
  return `${pid} ${tid}`;
}

function lanesOf(
  records: readonly PerfettoRecord[],
  seen: readonly PerfettoRecord[],
  txns: readonly PerfettoRecord[],
): Lane[] {
  const busy = new Set(seen.filter(({ ph }) => 'Xsf'.includes(ph)).map(keyOf));
  const lanes: Lane[] = txns.map(({ name }) => ({ key: name, name, isProcess: false }));
  let process = 0;
  for (const { ph, name, pid, tid, args } of records) {
    if (ph !== 'M' || name !== 'thread_name' || !busy.has(keyOf({ pid, tid }))) continue;
    if (pid !== process) {
      lanes.push({ key: `process ${pid}`, name: `node ${pid}`, isProcess: true });
    }
    process = pid;
    const path = String(args?.['name'] ?? '')
      .split('/')
      .slice(1)
      .join('/');
    lanes.push({
      key: keyOf({ pid, tid }),
      name: path === '' ? 'outside' : path,
      isProcess: false,
    });
  }
  return lanes;
}

function laneName({ name, isProcess }: Lane, y: number): string {
  const line = element('line', { x1: 0, x2: WIDTH, y1: y, y2: y, stroke: '#e8e8e8' });
  const label = text(isProcess ? 8 : 18, y + 14, name.slice(-NAME_MAX), {
    fill: isProcess ? '#111111' : '#444444',
    'font-weight': isProcess ? 'bold' : 'normal',
  });
  return `${line}${label}`;
}

function ruler({ fromUs, toUs }: Window, x: (us: number) => number, height: number): string[] {
  const stepUs = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000].find(
    (us) => (toUs - fromUs) / us <= 14,
  );
  const marks: string[] = [];
  for (let us = 0; us <= toUs - fromUs; us += stepUs ?? 20_000) {
    const at = round(x(fromUs + us));
    marks.push(element('line', { x1: at, x2: at, y1: HEAD - 14, y2: height, stroke: '#f0f0f0' }));
    marks.push(
      text(at + 2, HEAD - 6, `${(us / 1_000).toFixed(1)} ms`, { fill: '#777777', 'font-size': 9 }),
    );
  }
  return marks;
}

function sliceBox(
  slice: PerfettoRecord,
  rows: ReadonlyMap<string, number>,
  x: (us: number) => number,
): string {
  const y = rows.get(keyOf(slice)) ?? 0;
  const [from, to] = [x(slice.ts), x(slice.ts + slice.dur)];
  const width = Math.max(1.2, to - from);
  const isTurn = slice.name === 'turn';
  const box = element('rect', {
    ...{ x: round(from), y: y + (isTurn ? 2 : 5), width: round(width), height: isTurn ? 17 : 11 },
    fill: isTurn ? '#d5dce6' : colourOf(slice.name),
  });
  const room = Math.floor(width / CHAR);
  if (isTurn || room < slice.name.length) return box;
  return `${box}${text(from + 2, y + 14, slice.name, { fill: '#ffffff', 'font-size': 9 })}`;
}

function txnBar(
  begin: PerfettoRecord,
  records: readonly PerfettoRecord[],
  rows: ReadonlyMap<string, number>,
  x: (us: number) => number,
  { fromUs, toUs }: Window,
): string[] {
  const y = rows.get(begin.name) ?? 0;
  const end = records.find(({ ph, name }) => ph === 'e' && name === begin.name);
  const [from, to] = [x(begin.ts), x(end?.ts ?? begin.ts)];
  const bar = { x: round(from), y: y + 4, width: round(Math.max(2, to - from)), height: 13 };
  const steps = records.filter(
    ({ ph, id, ts }) => ph === 'n' && id === begin.id && ts >= fromUs && ts <= toUs,
  );
  let free = -Infinity;
  const labels = steps.flatMap(({ name, ts }) => {
    const at = x(ts);
    const tick = element('line', {
      x1: round(at),
      x2: round(at),
      y1: y + 3,
      y2: y + 18,
      stroke: '#7a3b00',
    });
    if (at < free) return [tick];
    free = at + name.length * CHAR + 4;
    return [tick, text(at + 2, y + 14, name, { 'font-size': 9, fill: '#5a2b00' })];
  });
  return [element('rect', { ...bar, fill: '#fbe3c5' }), ...labels];
}

function flowLines(
  seen: readonly PerfettoRecord[],
  records: readonly PerfettoRecord[],
  rows: ReadonlyMap<string, number>,
  x: (us: number) => number,
  { toUs }: Window,
): string[] {
  const ends = new Map(records.filter(({ ph }) => ph === 'f').map((end) => [end.id, end]));
  return seen.flatMap((start) => {
    const end = start.ph === 's' ? ends.get(start.id) : undefined;
    if (end === undefined || end.ts > toUs) return [];
    const [y1, y2] = [rows.get(keyOf(start)), rows.get(keyOf(end))];
    if (y1 === undefined || y2 === undefined) return [];
    const [x1, x2] = [round(x(start.ts)), round(x(end.ts))];
    const isAcross = start.pid !== end.pid;
    const stroke = isAcross ? '#c02020' : '#8a8a8a';
    const line = { x1, y1: y1 + 10, x2, y2: y2 + 10, stroke, 'stroke-width': isAcross ? 1 : 0.5 };
    return [
      element('line', line),
      element('circle', { cx: x2, cy: y2 + 10, r: isAcross ? 2 : 1.2, fill: stroke }),
    ];
  });
}
