/** The answer to /latency: where the time of commands goes, phase by phase. */
import { HdrHistogram } from '../hdr-histogram.ts';

/**
 * `read`, `write`: a command, from the coordinator's mailbox to its replies. Of the transaction of
 * a write: `batch`: from there to its begin; `votes`: to its decision, with the log writes of a
 * quorum; `execute`: to its execution, with what it waits for. Beside them `log`: a write of the
 * log with its sync; `network`: a round trip on a link, with the event loops at both ends.
 */
export const PHASES = ['read', 'write', 'batch', 'votes', 'execute', 'log', 'network'] as const;
export type LatencyPhase = (typeof PHASES)[number];

export interface PhaseReport {
  readonly phase: LatencyPhase;
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export class LatencyBoard {
  readonly #phases = Object.fromEntries(
    PHASES.map((phase) => [phase, new HdrHistogram()]),
  ) as Record<LatencyPhase, HdrHistogram>;

  record(phase: LatencyPhase, ms: number, count = 1): void {
    this.#phases[phase].record(ms * 1_000, count);
  }

  /** Since the start. */
  report(): PhaseReport[] {
    return PHASES.map((phase) => {
      const histogram = this.#phases[phase];
      const at = (share: number): number => Math.round(histogram.quantileUs(share));
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
