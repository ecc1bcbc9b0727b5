/**
 * The actors of one node: root supervisor, timer wheel, questions, dead letters, trace, and the
 * ways to look at them and to end them. Built by `node.ts` and by tests; everything it needs from
 * the world comes in as ports.
 */
import type { ActorRef } from './actor-ref.ts';
import { AskTable, type MakeQuestion } from './ask.ts';
import type { ExitReason } from './behavior.ts';
import { Cell } from './cells/cell.ts';
import { type DeadLetterReason, DeadLetters } from './cells/dead-letters.ts';
import type { Child, Host, Parent, RestartNotice, RuntimeTotals } from './host.ts';
import type { Inspection, Strategy } from './inspection.ts';
import type { Clock, Rng, Scheduler } from './ports/ports.ts';
import { TimerWheel } from './ports/timer-wheel.ts';
import {
  CoordinatedShutdown,
  type ShutdownPhase,
  type ShutdownReport,
} from './supervision/coordinated-shutdown.ts';
import { Supervisor } from './supervision/supervisor.ts';
import { TraceRecorder } from './trace/trace-recorder.ts';

const ROOT_RESTARTS_MAX = 3;
const ROOT_PERIOD_MS = 60_000;

export interface ActorSystemOptions {
  /** The first part of every path, for instance `node-1`. */
  readonly name: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  /** Called once, when the tree has ended because of a failure that nothing above could repair. */
  readonly onFailed: (failure: SystemFailure) => void;
  /** An actor or supervisor has ended on its own and is started again. */
  readonly onRestart?: (restart: RestartNotice) => void;
  readonly strategy?: Strategy;
  readonly restartsMax?: number;
  readonly periodMs?: number;
  readonly recorder?: TraceRecorder;
}

/** `fatal`: an actor declared it. `escalated`: the root's restart intensity was exceeded. */
export interface SystemFailure {
  readonly kind: 'fatal' | 'escalated';
  readonly path: string;
  readonly error: unknown;
}

/** For metrics; all but `actors`, `timers` and `asksOutstanding` only grow. */
interface SystemCounters extends Readonly<RuntimeTotals> {
  readonly actors: number;
  readonly timers: number;
  readonly deadLetters: number;
  readonly asksOutstanding: number;
  readonly askTimeouts: number;
  readonly traceEvents: number;
}

export class ActorSystem {
  readonly name: string;
  readonly root: Supervisor;
  readonly #host: SystemHost;
  readonly #onFailed: (failure: SystemFailure) => void;
  readonly #onRootEnd: (() => void)[] = [];
  #failure: SystemFailure | undefined;
  #shutdownDone: ((report: ShutdownReport) => void)[] | undefined;
  #shutdownReport: ShutdownReport | undefined;

  constructor(options: ActorSystemOptions) {
    this.name = options.name;
    this.#onFailed = options.onFailed;
    this.#host = new SystemHost(options, (path, error) => this.#fatal(path, error));
    const spec = {
      name: options.name,
      strategy: options.strategy ?? 'one_for_one',
      restartsMax: options.restartsMax ?? ROOT_RESTARTS_MAX,
      periodMs: options.periodMs ?? ROOT_PERIOD_MS,
    };
    const above: Parent = {
      path: '',
      childExited: (_root, reason) => this.#rootExited(reason),
    };
    this.root = new Supervisor(spec, this.#host, above, options.name);
    this.#host.register(this.root);
    this.root.begin();
  }

  /** Why the system has failed; undefined while it has not. */
  get failure(): SystemFailure | undefined {
    return this.#failure;
  }

  get deadLetters(): DeadLetters {
    return this.#host.deadLetters;
  }

  get recorder(): TraceRecorder {
    return this.#host.recorder;
  }

  get counters(): SystemCounters {
    const { totals, asks, wheel, deadLetters, recorder } = this.#host;
    return {
      ...totals,
      actors: this.#host.actorCount,
      timers: wheel.size,
      deadLetters: deadLetters.total,
      asksOutstanding: asks.outstanding,
      askTimeouts: asks.timeouts,
      traceEvents: recorder.written,
    };
  }

  /** The tree, or the part of it under a path such as `node-1/store-0`. */
  inspect(path: string = this.name): Inspection | undefined {
    return this.#host.find(path)?.inspect(true);
  }

  /** The tree without what its actors say of themselves, which may be long. */
  get outline(): Inspection | undefined {
    return this.#host.find(this.name)?.inspect(false);
  }

  /**
   * A question from outside of all actors; the callback runs in a turn of its own. `false`: not
   * sent, and no callback is called.
   */
  ask<Q, R>(
    target: ActorRef<Q>,
    make: MakeQuestion<Q, R>,
    deadlineMs: number,
    onReply: (reply: R) => void,
    onTimeout: () => void,
  ): boolean {
    return this.#host.asks.ask(target, make, deadlineMs, onReply, onTimeout);
  }

  /**
   * Runs the phases in order, kills what still lives, and closes the scheduler; then `done`. Later
   * calls only wait for the first to end.
   */
  shutdown(phases: readonly ShutdownPhase[], done: (report: ShutdownReport) => void): void {
    if (this.#shutdownReport !== undefined) {
      done(this.#shutdownReport);
      return;
    }
    if (this.#shutdownDone !== undefined) {
      this.#shutdownDone.push(done);
      return;
    }
    this.#shutdownDone = [done];
    const { clock, wheel } = this.#host;
    new CoordinatedShutdown(phases, clock, wheel, (report) => this.#closed(report)).begin();
  }

  /** The phase that stops the tree in reverse order; at its deadline the rest is killed. */
  stopActorsPhase(deadlineMs: number): ShutdownPhase {
    return {
      name: 'stop-actors',
      deadlineMs,
      run: (done) => {
        if (!this.root.isAlive) {
          done();
          return;
        }
        this.#onRootEnd.push(() => done());
        this.root.shutdown();
      },
    };
  }

  /** For tests: the actor takes no turns until `resume`. Throws when there is no such actor. */
  suspend(path: string): void {
    this.#host.cell(path).suspend();
  }

  resume(path: string): void {
    this.#host.cell(path).resume();
  }

  /** For tests: the actor's next turn throws this error. */
  crash(path: string, error: unknown): void {
    this.#host.cell(path).injectCrash(error);
  }

  #fatal(path: string, error: unknown): void {
    this.#failure ??= { kind: 'fatal', path, error };
    this.root.kill({ kind: 'fatal', error });
  }

  #rootExited(reason: ExitReason): void {
    this.root.retire();
    if (this.#failure === undefined && reason.kind === 'crash') {
      this.#failure = { kind: 'escalated', path: this.root.path, error: reason.error };
    }
    if (this.#failure !== undefined) this.#onFailed(this.#failure);
    for (const ended of this.#onRootEnd.splice(0)) ended();
  }

  #closed(report: ShutdownReport): void {
    this.root.kill({ kind: 'killed' });
    this.#host.asks.stop();
    this.#host.wheel.close();
    this.#host.scheduler.close();
    this.#shutdownReport = report;
    const waiting = this.#shutdownDone ?? [];
    for (const done of waiting) done(report);
  }
}

/** The controls of an actor that only tests use. */
type TestDoor = Pick<Cell<never>, 'suspend' | 'resume' | 'injectCrash'>;

class SystemHost implements Host {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  readonly wheel: TimerWheel;
  readonly asks: AskTable;
  readonly deadLetters = new DeadLetters();
  readonly recorder: TraceRecorder;
  readonly totals: RuntimeTotals = { turns: 0, messages: 0, crashes: 0, restarts: 0 };
  readonly fatal: (path: string, error: unknown) => void;
  readonly restarting: (restart: RestartNotice) => void;
  readonly #children = new Map<string, Child>();

  constructor(options: ActorSystemOptions, fatal: (path: string, error: unknown) => void) {
    this.clock = options.clock;
    this.rng = options.rng;
    this.scheduler = options.scheduler;
    this.wheel = new TimerWheel(options.clock, options.scheduler);
    this.asks = new AskTable(options.name, options.scheduler, this.wheel, {
      lateReply: (path, reply) => this.deadLetter(path, reply, 'late-reply'),
    });
    this.recorder = options.recorder ?? new TraceRecorder({ clock: options.clock, node: 0 });
    this.fatal = fatal;
    this.restarting = options.onRestart ?? (() => undefined);
  }

  get actorCount(): number {
    let count = 0;
    for (const child of this.#children.values()) if (child instanceof Cell) count += 1;
    return count;
  }

  deadLetter(to: string, message: unknown, reason: DeadLetterReason): void {
    const atMs = this.clock.monotonicMs();
    const letter = this.deadLetters.add(to, message, reason, atMs);
    this.recorder.deadLetter(this.recorder.idOf(to), atMs, letter.message, reason);
  }

  register(child: Child): void {
    if (this.#children.has(child.path)) throw new Error(`"${child.path}" exists already`);
    this.#children.set(child.path, child);
  }

  forget(child: Child): void {
    const below = `${child.path}/`;
    for (const path of [...this.#children.keys()]) {
      if (path === child.path || path.startsWith(below)) this.#children.delete(path);
    }
  }

  find(path: string): Child | undefined {
    return this.#children.get(path);
  }

  cell(path: string): TestDoor {
    const child = this.#children.get(path);
    if (!(child instanceof Cell)) throw new Error(`there is no actor "${path}"`);
    return child;
  }
}
