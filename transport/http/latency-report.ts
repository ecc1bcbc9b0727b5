/** The answer to /latency: where the time of commands goes, phase by phase. */
import { HdrHistogram } from '../hdr-histogram.ts';

/**
 * The way of a command, in its order. Of a sample of the units: `parse`: from their bytes to a
 * unit; `queue`: from the connection to the coordinator. Then `batch`: to the begin of a
 * transaction or read barrier. Of transactions `votes`: to the decision, with the log writes of a
 * quorum; `execute`: to the execution, with what it waits for. Of reads `barrier`: from its begin
 * until they are served. Of the sample `reply`: from rendered replies to the socket. Beside them
 * `log`: from a turn's records at the log to their place on disk, with the write before theirs;
 * `sync`: one write of the log with its sync, which is one system call where files are opened with
 * O_DSYNC; `network`: a round trip on a link, with the event loops at both ends.
 */
export const PHASES = [
  'parse',
  'queue',
  'batch',
  'votes',
  'execute',
  'barrier',
  'reply',
  'log',
  'sync',
  'network',
] as const;
export type LatencyPhase = (typeof PHASES)[number];

/** Phases, and `read` and `write`: a command from the coordinator's mailbox to its replies. */
const MEASURED = ['read', 'write', ...PHASES] as const;
type Measured = (typeof MEASURED)[number];

export interface PhaseReport {
  readonly phase: Measured;
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export class LatencyBoard {
  readonly #phases = Object.fromEntries(
    MEASURED.map((phase) => [phase, new HdrHistogram()]),
  ) as Record<Measured, HdrHistogram>;

  record(phase: Measured, ms: number, count = 1): void {
    this.#phases[phase].record(ms * 1_000, count);
  }

  /** Since the start, as `HdrHistogram.sparse` has it. */
  sparse(phase: Measured): number[] {
    return this.#phases[phase].sparse();
  }

  /** Since the start. */
  quantileUs(phase: Measured, share: number): number {
    return Math.round(this.#phases[phase].quantileUs(share));
  }

  /** Since the start. */
  report(): PhaseReport[] {
    return MEASURED.map((phase) => {
      const histogram = this.#phases[phase];
      const at = (share: number): number => this.quantileUs(phase, share);
      return {
        phase,
        count: histogram.count,
        p50Us: at(0.5),
        p99Us: at(0.99),
        p999Us: at(0.999),
        maxUs: Math.round(histogram.maxUs),
      };
    });
  }
}
