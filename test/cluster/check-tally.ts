/** The answers to the clients of the linearizability check: counts, and the ends of operations. */
import type { HistoryRecorder, Json } from '../verify/history.ts';
import type { Outcome } from './client.ts';

export class CheckTally {
  ok = 0;
  /** Of these, commands at nodes that were part of no fault from their begin to their end. */
  readonly healthy = { tried: 0, ok: 0 };
  refused = 0;
  unknown = 0;
  /** Blocks behind WATCH that ran, and those whose key had changed. */
  readonly watches = { kept: 0, changed: 0 };
  /** Replies that neither a model nor a known failure explains. */
  readonly surprises: string[] = [];

  finish(
    recorder: HistoryRecorder,
    id: number,
    outcome: Outcome,
    result: (reply: unknown) => Json,
  ): Outcome['type'] {
    switch (outcome.type) {
      case 'ok':
        recorder.complete(id, result(outcome.reply));
        this.ok += 1;
        break;
      case 'refused':
        recorder.refuse(id);
        this.refused += 1;
        break;
      case 'error':
        // No command of these workloads fails by its own rules.
        this.surprises.push(outcome.why);
        recorder.unknown(id);
        break;
      case 'unknown':
        recorder.unknown(id);
        this.unknown += 1;
        break;
    }
    return outcome.type;
  }

  /** The same of a block behind WATCH, whose reply is null if it did not run. */
  finishWatched(
    recorder: HistoryRecorder,
    id: number,
    outcome: Outcome,
    result: (reply: unknown) => Json,
  ): Outcome['type'] {
    if (outcome.type !== 'ok') return this.finish(recorder, id, outcome, result);
    if (outcome.reply !== null) {
      this.watches.kept += 1;
      return this.finish(recorder, id, outcome, result);
    }
    this.watches.changed += 1;
    recorder.refuse(id);
    return 'ok';
  }
}
