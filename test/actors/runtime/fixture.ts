/**
 * An actor system in virtual time, and small behaviors that write down what happens to them.
 */
import {
  ActorSystem,
  type ActorSystemOptions,
  type SystemFailure,
} from '../../../actors/runtime/actor-system.ts';
import type { ActorContext, Behavior, ChildSpec } from '../../../actors/runtime/behavior.ts';
import { NactScheduler } from '../../../actors/runtime/nact-shim.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { SystemClock } from '../../../actors/runtime/ports/system-ports.ts';
import {
  TraceRecorder,
  type TraceRecorderOptions,
} from '../../../actors/runtime/trace/trace-recorder.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';

export interface VirtualSystem {
  readonly scheduler: VirtualScheduler;
  readonly system: ActorSystem;
  readonly failures: SystemFailure[];
  /** Dead letters as `path message reason`. */
  readonly letters: string[];
}

export function virtualSystem(
  options: Partial<ActorSystemOptions> = {},
  trace: Partial<TraceRecorderOptions> = {},
): VirtualSystem {
  const scheduler = new VirtualScheduler();
  const failures: SystemFailure[] = [];
  const system = new ActorSystem({
    name: 'node',
    clock: scheduler.clock,
    rng: new SeededRng(1),
    scheduler: scheduler.scope(),
    onFailed: (failure) => failures.push(failure),
    recorder: new TraceRecorder({ clock: scheduler.clock, node: 7, ...trace }),
    ...options,
  });
  return { scheduler, system, failures, letters: lettersOf(system) };
}

export interface NactSystem {
  readonly scheduler: NactScheduler;
  readonly system: ActorSystem;
  readonly failures: SystemFailure[];
  readonly letters: string[];
  close(): Promise<void>;
}

/** The production scheduler; to be closed by the test. */
export function nactSystem(): NactSystem {
  const scheduler = new NactScheduler();
  const failures: SystemFailure[] = [];
  const system = new ActorSystem({
    name: 'node',
    clock: new SystemClock(),
    rng: new SeededRng(1),
    scheduler,
    onFailed: (failure) => failures.push(failure),
  });
  const close = (): Promise<void> => new Promise((resolve) => system.shutdown([], () => resolve()));
  return { scheduler, system, failures, letters: lettersOf(system), close };
}

function lettersOf(system: ActorSystem): string[] {
  const letters: string[] = [];
  system.deadLetters.listener = ({ to, reason }, message) => {
    letters.push(`${to} ${String(message)} ${reason}`);
  };
  return letters;
}

/** Enough event-loop turns for everything that is under way to happen. */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !condition(); turn += 1) {
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  if (!condition()) throw new Error('it did not happen within two seconds');
}

/** Writes `name:event` lines; the message `boom` makes it throw. */
export function recording(
  name: string,
  log: string[],
  more: Partial<Behavior<string>> = {},
  /** By incarnation, for tests that speak as the actor. */
  contexts: ActorContext<string>[] = [],
): (context: ActorContext<string>) => Behavior<string> {
  return (context) => {
    contexts.push(context);
    log.push(`${name}:start${context.incarnation}`);
    return {
      receive: (message) => {
        if (message === 'boom') throw new Error('boom');
        log.push(`${name}:${message}`);
      },
      stopped: (reason) => log.push(`${name}:${reason.kind}`),
      ...more,
    };
  };
}

export function spec<M>(
  name: string,
  start: ChildSpec<M>['start'],
  more: Partial<ChildSpec<M>> = {},
): ChildSpec<M> {
  return { name, shutdownMs: 100, mailboxMax: 100, start, ...more };
}
