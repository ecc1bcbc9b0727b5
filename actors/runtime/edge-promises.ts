/**
 * Promises for code at the edge of the process (main, tools, tests) that waits for actors. Never
 * used inside an actor or by the runtime itself: a promise continues outside of any turn.
 */
import type { ActorRef } from './actor-ref.ts';
import type { ActorSystem } from './actor-system.ts';
import type { MakeQuestion } from './ask.ts';
import type { ShutdownPhase, ShutdownReport } from './supervision/coordinated-shutdown.ts';

export class AskError extends Error {
  override readonly name = 'AskError';
  /** `refused`: the question was not sent. `timeout`: it may or may not have been received. */
  readonly kind: 'refused' | 'timeout';

  constructor(kind: 'refused' | 'timeout', path: string, deadlineMs: number) {
    const what = kind === 'refused' ? 'did not take the question' : `no reply in ${deadlineMs} ms`;
    super(`${path}: ${what}`);
    this.kind = kind;
  }
}

/** Rejects with an AskError. */
export function askPromise<Q, R>(
  system: ActorSystem,
  target: ActorRef<Q>,
  make: MakeQuestion<Q, R>,
  deadlineMs: number,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const timeout = (): void => reject(new AskError('timeout', target.path, deadlineMs));
    if (system.ask(target, make, deadlineMs, resolve, timeout)) return;
    reject(new AskError('refused', target.path, deadlineMs));
  });
}

/** Never rejects: the report says which phases failed or were late. */
export function shutdownPromise(
  system: ActorSystem,
  phases: readonly ShutdownPhase[],
): Promise<ShutdownReport> {
  return new Promise((resolve) => {
    system.shutdown(phases, resolve);
  });
}
