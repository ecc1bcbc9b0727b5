/**
 * The traces of one node: as the admin port hands them out, piece by piece, and as files in the
 * data directory (SIGUSR2, a failure that ends the node, an actor that keeps crashing).
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { TraceFormat } from '../../transport/http/admin-pages.ts';
import { perfettoPieces } from '../../transport/trace/export-perfetto.ts';
import { shivizLines } from '../../transport/trace/export-shiviz.ts';
import type { NodeLine } from '../../transport/trace/node-trace.ts';
import type { TraceEvent } from '../../transport/trace/trace-event.ts';
import type { PeerOffset } from '../node/peer-offsets.ts';
import type { Clock } from '../runtime/ports/ports.ts';
import type { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import { VERSION } from './version.ts';

/** Events per piece: about a quarter of a millisecond. */
const PIECE_EVENTS = 128;
/** Of each ring, converted within the node in one go; holoctl converts whole dumps by itself. */
const CONVERTED_EVENTS_MAX = 2_048;
/** Files kept in the data directory; the oldest goes. */
const FILES_MAX = 16;

interface NodeTracesOptions {
  readonly nodeId: number;
  readonly recorder: TraceRecorder;
  readonly clock: Clock;
  readonly offsets: () => readonly PeerOffset[];
  readonly dataDir: string;
  readonly logger: Logger;
}

export class NodeTraces {
  readonly #options: NodeTracesOptions;

  constructor(options: NodeTracesOptions) {
    this.#options = options;
  }

  /** `txn`: of this transaction alone, with the log's turns. */
  pieces(format: TraceFormat, txn?: string): Iterable<string> {
    switch (format) {
      case 'jsonl':
        return this.#lines(txn);
      case 'perfetto':
        return this.#converted(txn, perfettoPieces);
      case 'shiviz':
        return this.#converted(txn, shivizLines);
    }
  }

  *#converted(
    txn: string | undefined,
    convert: (events: readonly TraceEvent[]) => Iterable<string>,
  ): Generator<string> {
    const events: TraceEvent[] = [];
    let count = 0;
    for (const event of this.#options.recorder.dump(txn, CONVERTED_EVENTS_MAX)) {
      if (typeof event === 'object') events.push(event);
      count += 1;
      if (count % PIECE_EVENTS === 0) yield '';
    }
    yield* convert(events);
  }

  *#lines(txn: string | undefined): Generator<string> {
    const { nodeId, recorder, clock } = this.#options;
    const { txns } = recorder;
    const line: NodeLine = {
      kind: 'node',
      t: clock.wallUs(),
      node: nodeId,
      version: VERSION,
      peers: this.#options.offsets(),
      written: txns.written,
    };
    yield `${JSON.stringify(line)}\n`;
    let lost = 0;
    let text = '';
    let count = 0;
    for (const event of recorder.dump(txn)) {
      if (event === 'lost') lost += 1;
      else if (event !== undefined) text += `${JSON.stringify(event)}\n`;
      count += 1;
      if (count % PIECE_EVENTS !== 0) continue;
      yield text;
      text = '';
    }
    yield `${text}${JSON.stringify({ kind: 'end', node: nodeId, lost })}\n`;
  }

  /** The file. A full disk, or no free file descriptor, costs only the trace: then undefined. */
  dump(): string | undefined {
    const { logger } = this.#options;
    try {
      const path = this.#write();
      logger.info({ path }, `the trace of the last events is in ${path}`);
      return path;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const advice = 'make room in the data directory';
      logger.error({ reason }, `the trace could not be dumped: ${reason}; ${advice}`);
      return undefined;
    }
  }

  #write(): string {
    const { dataDir, clock, nodeId } = this.#options;
    const directory = join(dataDir, 'traces');
    mkdirSync(directory, { recursive: true });
    const stamp = new Date(clock.wallUs() / 1_000).toISOString().replaceAll(':', '-');
    const path = join(directory, `holo-${nodeId}-${stamp}.trace.jsonl`);
    const file = openSync(path, 'w');
    try {
      for (const piece of this.pieces('jsonl')) writeSync(file, piece);
    } finally {
      closeSync(file);
    }
    this.#removeOld(directory);
    return path;
  }

  #removeOld(directory: string): void {
    const names = readdirSync(directory).filter((name) => name.endsWith('.trace.jsonl'));
    names.sort((a, b) => stampOf(a).localeCompare(stampOf(b), 'en'));
    for (const name of names.slice(0, -FILES_MAX)) rmSync(join(directory, name), { force: true });
  }
}

function stampOf(name: string): string {
  return name.replace(/^holo-\d+-/, '');
}
