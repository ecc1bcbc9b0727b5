/**
 * Ends a node in named phases, one after the other, each with a deadline: the order in which a
 * node lets go of the world (after Akka's coordinated shutdown, reduced to a sequence). Run once
 * by `ActorSystem.shutdown`; a phase that fails or is late never keeps the next from beginning.
 */
import type { Clock } from '../ports/ports.ts';
import type { TimerWheel, WheelTimer } from '../ports/timer-wheel.ts';

export interface ShutdownPhase {
  readonly name: string;
  readonly deadlineMs: number;
  /** Calls `done` once, at once or later; with an error when the phase could not do its job. */
  readonly run: (done: (error?: unknown) => void) => void;
}

interface PhaseReport {
  readonly name: string;
  readonly outcome: 'done' | 'failed' | 'late';
  readonly tookMs: number;
  /** The error of a failed phase. */
  readonly error: unknown;
}

export interface ShutdownReport {
  readonly phases: readonly PhaseReport[];
  readonly isClean: boolean;
}

export class CoordinatedShutdown {
  readonly #phases: readonly ShutdownPhase[];
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #done: (report: ShutdownReport) => void;
  readonly #reports: PhaseReport[] = [];

  constructor(
    phases: readonly ShutdownPhase[],
    clock: Clock,
    wheel: TimerWheel,
    done: (report: ShutdownReport) => void,
  ) {
    this.#phases = phases;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#done = done;
  }

  begin(): void {
    this.#runNext();
  }

  #runNext(): void {
    const phase = this.#phases[this.#reports.length];
    if (phase === undefined) {
      const isClean = this.#reports.every(({ outcome }) => outcome === 'done');
      this.#done({ phases: this.#reports, isClean });
      return;
    }
    const startMs = this.#clock.monotonicMs();
    let isOver = false;
    let timer: WheelTimer | undefined;
    const end = (outcome: PhaseReport['outcome'], error: unknown): void => {
      if (isOver) return;
      isOver = true;
      if (timer !== undefined) this.#wheel.cancel(timer);
      const tookMs = this.#clock.monotonicMs() - startMs;
      this.#reports.push({ name: phase.name, outcome, tookMs, error });
      this.#runNext();
    };
    timer = this.#wheel.after(phase.deadlineMs, () => end('late', undefined));
    try {
      phase.run((error) => end(error === undefined ? 'done' : 'failed', error));
    } catch (error) {
      end('failed', error);
    }
  }
}
