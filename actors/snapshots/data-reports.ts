/**
 * Reports of nodes about the data of groups, for the members of the meta group: too much is kept
 * for the sake of a member, or a member finds no node that has the data for it. A report is
 * repeated while it lasts, and forgotten soon after. Pure.
 */
import type { Laggard } from '../accord/local/effects.ts';
import { groupKey } from '../accord/topology/group-id.ts';

/** They are repeated a few times in this time. */
const KEPT_MS = 2_000;

export type DataReport = 'lagging' | 'lacking';

export class DataReports {
  readonly #notes = new Map<string, Laggard & { report: DataReport; untilMs: number }>();

  note(report: DataReport, { group, node }: Laggard, nowMs: number): void {
    const untilMs = nowMs + KEPT_MS;
    this.#notes.set(`${report} ${groupKey(group)} ${node}`, { report, group, node, untilMs });
  }

  current(report: DataReport, nowMs: number): readonly Laggard[] {
    for (const [key, { untilMs }] of this.#notes) if (untilMs < nowMs) this.#notes.delete(key);
    return [...this.#notes.values()].filter((note) => note.report === report);
  }
}
