/**
 * The dump of one node as JSON lines: a first line about the node itself, then its events. Dumps of
 * several nodes become one by concatenation, and by one clock: `alignClocks`.
 */
import type { TraceEvent } from './trace-event.ts';

/** The first line. */
export interface NodeLine {
  readonly kind: 'node';
  /** When the dump was made. */
  readonly t: number;
  readonly node: number;
  readonly version: string;
  /** Wall clocks of its peers minus its own, as its links have measured them. */
  readonly peers: readonly {
    readonly node: number;
    readonly offsetUs: number;
    readonly errorUs: number;
  }[];
  /** Events of transactions since the start; the ring holds the last of them. */
  readonly written: number;
}

interface NodeTrace {
  readonly line: NodeLine;
  readonly events: readonly TraceEvent[];
  readonly lost: number;
}

class TraceFileError extends Error {
  override readonly name = 'TraceFileError';
}

/** Takes what `GET /trace` answers, or a file of it, also of several nodes. */
export function parseTraces(text: string): NodeTrace[] {
  const traces: { line: NodeLine; events: TraceEvent[]; lost: number }[] = [];
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    if (line === '') continue;
    const record = recordOf(line, number);
    if (record.kind === 'node') traces.push({ line: record, events: [], lost: 0 });
    else {
      const last = traces.at(-1);
      if (last === undefined) throw new TraceFileError('the trace does not begin with its node');
      if (record.kind === 'end') last.lost = record.lost;
      else last.events.push(record);
    }
  }
  return traces;
}

/** The last line: without it the dump was cut off. */
interface EndLine {
  readonly kind: 'end';
  readonly node: number;
  /** Events that were overwritten while they were being written out. */
  readonly lost: number;
}

function recordOf(line: string, number: number): NodeLine | TraceEvent | EndLine {
  try {
    return JSON.parse(line);
  } catch {
    throw new TraceFileError(`line ${number} of the trace is no JSON`);
  }
}

export interface AlignedTrace {
  /** Events that were overwritten while the dump was being written. */
  readonly lost: number;
  /** By the clock of the first node, in the order of time. */
  readonly events: readonly TraceEvent[];
  readonly reference: number;
  /** Two nodes' clocks differ by at most so much; 0 for one node. */
  readonly errorUs: number;
  /** Nodes whose clocks nobody has compared: their times are as they were. */
  readonly unaligned: readonly number[];
}

/** Sets all times to the clock of the first node. */
export function alignClocks(traces: readonly NodeTrace[]): AlignedTrace {
  const [first, ...others] = traces;
  if (first === undefined) {
    return { events: [], reference: 0, errorUs: 0, unaligned: [], lost: 0 };
  }
  const events = [...first.events];
  const errors: number[] = [0];
  const unaligned: number[] = [];
  for (const { line, events: own } of others) {
    const offset = line.node === first.line.node ? NO_OFFSET : offsetOf(line, first.line);
    if (offset === undefined) unaligned.push(line.node);
    const { offsetUs, errorUs } = offset ?? NO_OFFSET;
    errors.push(errorUs);
    for (const event of own) events.push({ ...event, t: event.t - offsetUs });
  }
  errors.sort((a, b) => b - a);
  const errorUs = (errors[0] ?? 0) + (errors[1] ?? 0);
  events.sort((a, b) => a.t - b.t);
  const lost = traces.reduce((sum, each) => sum + each.lost, 0);
  return { events, reference: first.line.node, errorUs, unaligned, lost };
}

const NO_OFFSET = { offsetUs: 0, errorUs: 0 };

/** `of` minus `reference`, as whichever of the two has measured it better. */
function offsetOf(of: NodeLine, reference: NodeLine): typeof NO_OFFSET | undefined {
  const seen = reference.peers.find(({ node }) => node === of.node);
  const back = of.peers.find(({ node }) => node === reference.node);
  if (back === undefined || (seen !== undefined && seen.errorUs <= back.errorUs)) return seen;
  return { offsetUs: -back.offsetUs, errorUs: back.errorUs };
}
