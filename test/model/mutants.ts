/** Rules that can be taken out of the model, and where that shows: the model must break without. */

export interface Mutant {
  readonly name: string;
  /** The number of the rule in docs/ranges.md. */
  readonly rule: number;
  readonly config: string;
  /** A seed that breaks without the rule; 0 while none is known. */
  readonly seed: number;
}

export const MUTANTS: readonly Mutant[] = [
  { name: 'ended_early', rule: 1, config: 'one3', seed: 1 },
  { name: 'absent_is_none', rule: 2, config: 'two3', seed: 124 },
  { name: 'none_for_the_forgotten', rule: 2, config: 'rounds', seed: 0 },
  { name: 'none_below_snapshot', rule: 2, config: 'learners', seed: 0 },
  { name: 'resubmit_blind', rule: 3, config: 'one3', seed: 1 },
  { name: 'no_noop', rule: 3, config: 'two3', seed: 2 },
  { name: 'no_table', rule: 4, config: 'tear', seed: 2 },
  { name: 'table_timeout', rule: 4, config: 'tear', seed: 2 },
  { name: 'table_one_group', rule: 4, config: 'tear', seed: 0 },
  { name: 'table_one_holder', rule: 4, config: 'tear', seed: 0 },
  { name: 'round_drops_table', rule: 4, config: 'rounds', seed: 0 },
  { name: 'snap_no_table', rule: 5, config: 'tear', seed: 0 },
  { name: 'no_cover', rule: 5, config: 'loss', seed: 0 },
  { name: 'absent_no_order', rule: 6, config: 'loss', seed: 0 },
  { name: 'noop_covers', rule: 7, config: 'rounds', seed: 0 },
  { name: 'forget_no_succ', rule: 8, config: 'loss', seed: 68 },
  { name: 'forget_early', rule: 8, config: 'one3', seed: 9 },
  { name: 'covered_is_applied', rule: 9, config: 'learners', seed: 0 },
  { name: 'fact_needs_quorum', rule: 9, config: 'dead', seed: 0 },
  { name: 'half_snap', rule: 10, config: 'one3', seed: 9 },
  { name: 'donor_member_only', rule: 11, config: 'dead', seed: 11 },
  { name: 'mix_parts', rule: 11, config: 'two3', seed: 82 },
  { name: 'close_unready', rule: 12, config: 'dead', seed: 0 },
  { name: 'intent_is_known', rule: 13, config: 'one3', seed: 32 },
  { name: 'close_before_closing', rule: 13, config: 'meta', seed: 4 },
  { name: 'amnesia', rule: 14, config: 'one3', seed: 1 },
  { name: 'eph_no_bounce', rule: 15, config: 'reads', seed: 8 },
  { name: 'eph_no_retry', rule: 15, config: 'reads', seed: 0 },
  { name: 'home_only', rule: 16, config: 'two3', seed: 32 },
  { name: 'stable_is_final', rule: 16, config: 'two3', seed: 4 },
  { name: 'close_no_reads', rule: 18, config: 'one3', seed: 13 },
  { name: 'second_close', rule: 18, config: 'one3', seed: 10 },
  { name: 'close_covers_early', rule: 18, config: 'rounds', seed: 0 },
  { name: 'deps_without_mark', rule: 21, config: 'rounds', seed: 0 },
  { name: 'owed_is_settled', rule: 21, config: 'owed', seed: 19 },
  { name: 'stable_is_settled', rule: 21, config: 'rounds', seed: 2 },
  { name: 'live_never_absent', rule: 22, config: 'rounds', seed: 12 },
  { name: 'erased_is_begun', rule: 22, config: 'rounds', seed: 7 },
  { name: 'unnamed_is_kept', rule: 23, config: 'all', seed: 55 },
  { name: 'reject_not_kept', rule: 23, config: 'rounds', seed: 96 },
  { name: 'few_reject', rule: 23, config: 'rounds', seed: 0 },
  { name: 'covers_by_one', rule: 23, config: 'rounds', seed: 0 },
  { name: 'reply_before_sync', rule: 24, config: 'worst', seed: 66 },
  { name: 'below_floor', rule: 25, config: 'loss', seed: 0 },
  { name: 'exec_before_parent', rule: 25, config: 'one3', seed: 19 },
  { name: 'later_effect', rule: 25, config: 'one3', seed: 3 },
  { name: 'moved_one', rule: 25, config: 'two3', seed: 3 },
  { name: 'wait_read', rule: 25, config: 'two3', seed: 2 },
  { name: 'evidence_other', rule: 25, config: 'three', seed: 0 },
  { name: 'small_fast_quorum', rule: 25, config: 'one3e2', seed: 6 },
];
