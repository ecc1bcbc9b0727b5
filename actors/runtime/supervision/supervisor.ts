/**
 * Starts, restarts and stops its children after OTP: child specs, three strategies, restart
 * intensity, backoff, stop in reverse order with a deadline per child. Children are actors or
 * further supervisors; refs stay valid over every restart. It handles no messages and shares no
 * state with its children.
 */
import type { ActorRef } from '../actor-ref.ts';
import type { ChildSpec, ExitReason } from '../behavior.ts';
import { Cell } from '../cells/cell.ts';
import type { Child, Host, Parent } from '../host.ts';
import type { Strategy, SupervisorInspection } from '../inspection.ts';
import { errorText } from '../inspection.ts';
import type { WheelTimer } from '../ports/timer-wheel.ts';
import { BACKOFF_MS_MAX, BACKOFF_MS_MIN, Backoff, RestartIntensity } from './restart-policy.ts';

const CHILDREN_MAX = 4_096;
const NAME = /^[A-Za-z0-9._:@-]{1,128}$/;

interface SupervisorSpec {
  readonly name: string;
  readonly strategy: Strategy;
  readonly restartsMax: number;
  readonly periodMs: number;
  readonly backoffMsMin?: number;
  readonly backoffMsMax?: number;
}

/** A supervisor gave up: its children failed more often than its intensity allows. */
export class RestartIntensityError extends Error {
  override readonly name = 'RestartIntensityError';
}

/** A child and what its supervisor keeps about it. */
interface Entry {
  readonly child: Child;
  readonly backoff: Backoff;
  startedAtMs: number;
  /** Runs while the child waits for its own restart. */
  restartTimer: WheelTimer | undefined;
  /** Set while the child is being taken out. */
  onRemoved: (() => void) | undefined;
}

/**
 * `run`: children live. `restart`: those from `#from` on end, wait, and begin again. `stop`: all
 * end, as ordered. `fail`: all end, because the intensity is exceeded. `kill`: all end at once.
 */
type Goal = 'run' | 'restart' | 'stop' | 'fail' | 'kill';

export class Supervisor implements Child, Parent {
  readonly name: string;
  readonly path: string;
  /** The children have deadlines of their own. */
  readonly shutdownMs = Number.POSITIVE_INFINITY;
  readonly #spec: SupervisorSpec;
  readonly #parent: Parent;
  readonly #host: Host;
  readonly #entries: Entry[] = [];
  readonly #intensity: RestartIntensity;
  #isAlive = false;
  #isRetired = false;
  #goal: Goal = 'run';
  #from = 0;
  #groupTimer: WheelTimer | undefined;
  #groupDelayMs = 0;
  #endReason: ExitReason = { kind: 'shutdown' };
  /** The child that has been asked to end, and its deadline. */
  #ending: Child | undefined;
  #deadline: WheelTimer | undefined;
  #restarts = 0;

  /** Made by `ActorSystem` (with a path of its own) and by `supervisor()`. */
  constructor(spec: SupervisorSpec, host: Host, parent: Parent, path: string) {
    this.#spec = spec;
    this.#host = host;
    this.#parent = parent;
    this.name = spec.name;
    this.path = path;
    this.#intensity = new RestartIntensity(spec.restartsMax, spec.periodMs);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Adds an actor and starts it now. Throws on a bad or taken name, never for a failing start. */
  child<M>(spec: ChildSpec<M>): ActorRef<M> {
    this.#admit(spec.name);
    const cell = new Cell(spec, this, this.#host);
    this.#add(cell);
    return cell.ref;
  }

  /** Adds a supervisor below this one and starts it, still without children. */
  supervisor(spec: SupervisorSpec): Supervisor {
    this.#admit(spec.name);
    const supervisor = new Supervisor(spec, this.#host, this, `${this.path}/${spec.name}`);
    this.#add(supervisor);
    return supervisor;
  }

  /**
   * Ends a child for good and forgets it; `done` is called when it is gone. Its name is free then.
   * Throws when there is no such child.
   */
  remove(name: string, done?: () => void): void {
    const entry = this.#entries.find((candidate) => candidate.child.name === name);
    if (entry === undefined) throw new Error(`${this.path} has no child "${name}"`);
    const earlier = entry.onRemoved;
    entry.onRemoved = () => {
      earlier?.();
      done?.();
    };
    if (earlier !== undefined) return;
    this.#cancelRestart(entry);
    if (!entry.child.isAlive) {
      this.#drop(entry);
      return;
    }
    if (Number.isFinite(entry.child.shutdownMs)) {
      const kill = (): void => entry.child.kill({ kind: 'killed' });
      entry.restartTimer = this.#host.wheel.after(entry.child.shutdownMs, kill);
    }
    entry.child.shutdown();
  }

  // --- driven by the parent or the system ---

  begin(): void {
    this.#isAlive = true;
    this.#isRetired = false;
    this.#goal = 'run';
    this.#intensity.clear();
    // With the pauses of the life before, this one could fail too slowly for our own supervisor to
    // ever count it: a crash loop would go on for good.
    for (const { backoff } of this.#entries) backoff.reset();
    this.#startFrom(0);
  }

  shutdown(): void {
    if (!this.#isAlive || this.#goal === 'stop' || this.#goal === 'kill') return;
    this.#endReason = { kind: 'shutdown' };
    this.#pursue('stop');
  }

  kill(reason: ExitReason): void {
    if (!this.#isAlive) return;
    this.#endReason = reason;
    this.#pursue('kill');
    for (const { child } of this.#entries.toReversed()) child.kill(reason);
    this.#advance();
  }

  retire(): void {
    this.#isRetired = true;
    for (const entry of this.#entries.toReversed()) {
      this.#cancelRestart(entry);
      entry.child.retire();
    }
  }

  // --- what children report ---

  childExited(child: Child, reason: ExitReason): void {
    const entry = this.#entries.find((candidate) => candidate.child === child);
    if (entry === undefined) return;
    if (this.#ending === child) this.#endingDone();
    if (entry.onRemoved !== undefined) {
      this.#drop(entry);
    } else if (!this.#isEnding(entry) && reason.kind !== 'fatal') {
      this.#decide(entry, reason);
      return;
    }
    this.#advance();
  }

  inspect(describes: boolean): SupervisorInspection {
    return {
      kind: 'supervisor',
      path: this.path,
      state: this.#state(),
      strategy: this.#spec.strategy,
      restartsMax: this.#spec.restartsMax,
      periodMs: this.#spec.periodMs,
      restartsInPeriod: this.#intensity.restartsInPeriod(this.#host.clock.monotonicMs()),
      restarts: this.#restarts,
      children: this.#entries.map(({ child }) => child.inspect(describes)),
    };
  }

  #state(): SupervisorInspection['state'] {
    if (this.#isRetired) return 'retired';
    if (!this.#isAlive) return 'down';
    if (this.#goal === 'run') return 'running';
    return this.#goal === 'restart' ? 'restarting' : 'stopping';
  }

  // --- decisions ---

  /** A child ended without being asked to. */
  #decide(entry: Entry, reason: ExitReason): void {
    const { child } = entry;
    const nowMs = this.#host.clock.monotonicMs();
    if (!this.#intensity.allows(nowMs)) {
      this.#fail(child, reason);
      return;
    }
    this.#restarts += 1;
    const delayMs = entry.backoff.delayMs(nowMs - entry.startedAtMs);
    this.#host.restarting({ path: child.path, reason, delayMs });
    if (this.#spec.strategy === 'one_for_one') {
      entry.restartTimer = this.#host.wheel.after(delayMs, () => this.#restartOne(entry));
      return;
    }
    const first = this.#spec.strategy === 'one_for_all' ? 0 : this.#entries.indexOf(entry);
    // A restart under way can only be widened: it has taken in the exits of its own group before.
    this.#from = first;
    this.#groupDelayMs = delayMs;
    this.#pursue('restart');
  }

  #fail(child: Child, reason: ExitReason): void {
    const { restartsMax, periodMs } = this.#spec;
    const cause = reason.kind === 'crash' ? reason.error : undefined;
    const why = cause === undefined ? reason.kind : errorText(cause);
    const limit = `more than ${restartsMax} restarts in ${periodMs} ms`;
    const text = `${this.path}: ${limit}; the last was ${child.path} (${why})`;
    this.#endReason = { kind: 'crash', error: new RestartIntensityError(text, { cause }) };
    this.#pursue('fail');
  }

  /** Whether the end of this child is part of what is going on. */
  #isEnding(entry: Entry): boolean {
    if (this.#goal === 'run') return false;
    return this.#goal !== 'restart' || this.#entries.indexOf(entry) >= this.#from;
  }

  #pursue(goal: Goal): void {
    this.#goal = goal;
    if (this.#groupTimer !== undefined) this.#host.wheel.cancel(this.#groupTimer);
    this.#groupTimer = undefined;
    for (const entry of this.#entries) if (this.#isEnding(entry)) this.#cancelRestart(entry);
    this.#advance();
  }

  /** Does the next step towards the goal; called again whenever a child has ended. */
  #advance(): void {
    if (this.#goal === 'run' || this.#groupTimer !== undefined) return;
    const first = this.#goal === 'restart' ? this.#from : 0;
    const last = this.#entries.findLast(({ child }, at) => at >= first && child.isAlive);
    if (last !== undefined) {
      if (this.#goal !== 'kill') this.#end(last.child);
      return;
    }
    if (this.#goal === 'restart') {
      this.#groupTimer = this.#host.wheel.after(this.#groupDelayMs, () => {
        this.#groupTimer = undefined;
        this.#goal = 'run';
        this.#startFrom(this.#from);
      });
      return;
    }
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#parent.childExited(this, this.#endReason);
  }

  /** One at a time, in reverse order: a child may rely on those before it until its own end. */
  #end(child: Child): void {
    if (this.#ending === child) return;
    this.#endingDone();
    this.#ending = child;
    if (Number.isFinite(child.shutdownMs)) {
      const kill = (): void => child.kill({ kind: 'killed' });
      this.#deadline = this.#host.wheel.after(child.shutdownMs, kill);
    }
    child.shutdown();
  }

  #endingDone(): void {
    this.#ending = undefined;
    if (this.#deadline !== undefined) this.#host.wheel.cancel(this.#deadline);
    this.#deadline = undefined;
  }

  // --- children ---

  #admit(name: string): void {
    if (!NAME.test(name)) throw new Error(`"${name}" is not a name for an actor`);
    const isEnding = this.#isAlive && this.#goal !== 'run' && this.#goal !== 'restart';
    if (isEnding || this.#isRetired) {
      throw new Error(`${this.path} is ending, "${name}" cannot be added`);
    }
    if (this.#entries.length >= CHILDREN_MAX) {
      throw new Error(`${this.path} has ${CHILDREN_MAX} children already`);
    }
  }

  #add(child: Child): void {
    this.#host.register(child);
    const { backoffMsMin = BACKOFF_MS_MIN, backoffMsMax = BACKOFF_MS_MAX, periodMs } = this.#spec;
    const backoff = new Backoff(this.#host.rng, backoffMsMin, backoffMsMax, periodMs);
    const startedAtMs = this.#host.clock.monotonicMs();
    const entry = { child, backoff, startedAtMs, restartTimer: undefined, onRemoved: undefined };
    this.#entries.push(entry);
    // While this supervisor is down or restarts a group, the newcomer starts with the others.
    if (this.#isAlive && this.#goal === 'run') child.begin();
  }

  #startFrom(first: number): void {
    for (const entry of this.#entries.slice(first)) {
      if (this.#goal !== 'run') return;
      const isHere = this.#entries.includes(entry) && entry.restartTimer === undefined;
      if (isHere && !entry.child.isAlive) this.#begin(entry);
    }
  }

  #restartOne(entry: Entry): void {
    entry.restartTimer = undefined;
    if (this.#goal === 'run') this.#begin(entry);
  }

  #begin(entry: Entry): void {
    entry.startedAtMs = this.#host.clock.monotonicMs();
    entry.child.begin();
  }

  #cancelRestart(entry: Entry): void {
    if (entry.restartTimer !== undefined) this.#host.wheel.cancel(entry.restartTimer);
    entry.restartTimer = undefined;
  }

  #drop(entry: Entry): void {
    this.#cancelRestart(entry);
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
    if (at >= 0 && at < this.#from) this.#from -= 1;
    this.#host.forget(entry.child);
    entry.child.retire();
    entry.onRemoved?.();
  }
}
