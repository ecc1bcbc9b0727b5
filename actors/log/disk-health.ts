/**
 * The problems of a node's disk, by part: logged when they begin and end, and shown on /readyz,
 * /status and in the metrics while they last. Pure.
 */

/** `backlogged`: too many records wait for the log, so the store takes no more from its peers. */
export const DISK_PROBLEMS = ['full', 'stalled', 'backlogged'] as const;
type DiskProblem = (typeof DISK_PROBLEMS)[number];
export const DISK_PARTS = ['log', 'store'] as const;
export type DiskPart = (typeof DISK_PARTS)[number];

/** Called as often as the parts like: a state that is known already changes nothing. */
export type ReportDisk = (part: DiskPart, problem: DiskProblem, present: boolean) => void;

const MEANING: Readonly<Record<DiskProblem, string>> = {
  full: 'the disk is full: writes are refused, reads are served; make room',
  stalled: 'the disk does not answer: writes wait, reads are served; look at the device',
  backlogged:
    'too much waits for the disk: this node falls behind, reads are not served; it needs a faster ' +
    'disk, or one that nothing else writes to',
};

interface DiskLogger {
  warn(fields: object, line: string): void;
  info(fields: object, line: string): void;
}

export class DiskHealth {
  readonly #logger: DiskLogger;
  readonly #present = new Set<string>();

  constructor(logger: DiskLogger) {
    this.#logger = logger;
  }

  readonly report: ReportDisk = (part, problem, present) => {
    const name = `${part} ${problem}`;
    if (this.#present.has(name) === present) return;
    if (present) {
      this.#present.add(name);
      this.#logger.warn({ part, problem }, `${part}: ${MEANING[problem]}`);
    } else {
      this.#present.delete(name);
      this.#logger.info({ part, problem }, `${part}: the disk is no longer ${problem}`);
    }
  };

  has(part: DiskPart, problem: DiskProblem): boolean {
    return this.#present.has(`${part} ${problem}`);
  }

  /** Such as `log full, store full`; `undefined` when nothing is wrong. */
  get summary(): string | undefined {
    return this.#present.size === 0 ? undefined : [...this.#present].join(', ');
  }

  /** Reads are served in spite of all others. */
  get servesReads(): boolean {
    return !this.has('log', 'backlogged');
  }
}
