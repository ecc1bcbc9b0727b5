/**
 * The rules of Perfetto's importer (json_trace_parser.cc, flow_tracker.cc) as assertions about a
 * whole file, and those of our own about flows.
 */
import { expect } from 'vitest';

export interface PerfettoRecord {
  readonly ph: string;
  readonly name: string;
  readonly cat?: string;
  readonly id?: string;
  readonly bp?: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface PerfettoFile {
  readonly otherData: { readonly startUs: number; readonly alignmentErrorUs?: number };
  readonly traceEvents: readonly PerfettoRecord[];
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Whole nanoseconds. */
function ns(us: number): number {
  return Math.round(us * 1_000);
}

function trackOf({ pid, tid }: PerfettoRecord): string {
  return `${pid} ${tid}`;
}

/** Returns the file, and how many flows lead from one node to another. */
export function checkPerfetto(text: string): { file: PerfettoFile; acrossNodes: number } {
  const file = JSON.parse(text) as PerfettoFile;
  const { traceEvents: records } = file;
  const phases = new Set(records.map(({ ph }) => ph));
  for (const phase of phases) expect('BEXICMbnestfi').toContain(phase);
  for (const { ph, ts } of records) if (ph !== 'M') expect(ts).toBeGreaterThanOrEqual(0);
  const slices = slicesByTrack(records);
  for (const spans of slices.values()) checkNesting(spans);
  checkNames(records);
  const errorNs = ns(file.otherData.alignmentErrorUs ?? 0);
  return { file, acrossNodes: checkFlows(records, slices, errorNs) };
}

function slicesByTrack(records: readonly PerfettoRecord[]): Map<string, Span[]> {
  const slices = new Map<string, Span[]>();
  for (const record of records) {
    if (record.ph !== 'X') continue;
    expect(ns(record.dur)).toBeGreaterThan(0);
    const own = slices.get(trackOf(record)) ?? [];
    slices.set(trackOf(record), own);
    own.push({ from: ns(record.ts), to: ns(record.ts) + ns(record.dur) });
  }
  for (const own of slices.values()) own.sort((a, b) => a.from - b.from || b.to - a.to);
  return slices;
}

/** Two slices of a track lie apart, or one within the other. */
function checkNesting(spans: readonly Span[]): void {
  const around: Span[] = [];
  for (const span of spans) {
    while ((around.at(-1)?.to ?? Infinity) <= span.from) around.pop();
    expect(span.to).toBeLessThanOrEqual(around.at(-1)?.to ?? Infinity);
    around.push(span);
  }
}

function checkNames(records: readonly PerfettoRecord[]): void {
  const named = new Set(records.flatMap((each) => (isName(each, 'thread') ? [trackOf(each)] : [])));
  const processes = new Set(records.flatMap((each) => (isName(each, 'process') ? [each.pid] : [])));
  for (const record of records) {
    if (!'Xisf'.includes(record.ph)) continue;
    expect(named).toContain(trackOf(record));
    expect(processes).toContain(record.pid);
  }
}

function isName({ ph, name }: PerfettoRecord, of: 'thread' | 'process'): boolean {
  return ph === 'M' && name === `${of}_name`;
}

/**
 * Each flow has one `s` and one `f` that agree, each inside a slice, on different tracks, and its
 * end is not earlier than its start by more than clocks may differ.
 */
function checkFlows(
  records: readonly PerfettoRecord[],
  slices: ReadonlyMap<string, readonly Span[]>,
  errorNs: number,
): number {
  const starts = records.filter(({ ph }) => ph === 's');
  const ends = records.filter(({ ph }) => ph === 'f');
  const byId = new Map(ends.map((end) => [end.id, end]));
  expect(new Set(starts.map(({ id }) => id)).size).toBe(starts.length);
  expect([byId.size, ends.length]).toEqual([starts.length, starts.length]);
  let acrossNodes = 0;
  for (const start of starts) {
    expect(start.id).toMatch(/^0x[0-9a-f]{1,16}$/);
    const end = byId.get(start.id);
    expect(end).toMatchObject({ name: start.name, cat: start.cat, bp: 'e' });
    if (end === undefined) continue;
    expect(trackOf(start)).not.toBe(trackOf(end));
    for (const point of [start, end]) {
      const at = ns(point.ts);
      const own = slices.get(trackOf(point)) ?? [];
      expect(own.some(({ from, to }) => from <= at && at <= to)).toBe(true);
    }
    const isLocal = start.pid === end.pid;
    expect(ns(end.ts) - ns(start.ts)).toBeGreaterThanOrEqual(isLocal ? 0 : -errorNs);
    if (!isLocal) acrossNodes += 1;
  }
  return acrossNodes;
}
