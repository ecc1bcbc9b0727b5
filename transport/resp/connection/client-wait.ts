/**
 * The command of one client that waits for keys (BLPOP and its like), from its first attempt to its
 * answer. It is tried when its node says so, and ends when it takes something, when its time is
 * over, when CLIENT UNBLOCK ends it, or when its user may no longer run it.
 */
import { Arguments } from '../../../storage/arguments.ts';
import { waitedType } from '../../../storage/keyspace/waited-keys.ts';
import type { PausedClient } from '../client-pause.ts';
import type { GatewayCore } from '../gateway-core.ts';
import type { StoreRoute } from '../routes.ts';
import type { WaitedFor, WaitingClient } from '../waiting/waiters.ts';
import type { ClientAccess } from './client-access.ts';
import type { PartReplies, UnitId } from './part.ts';
import type { UnitUnderWay } from './unit-under-way.ts';

interface Wait {
  readonly route: StoreRoute;
  readonly waitedFor: WaitedFor;
  /** An element that it takes is gone if the client is. */
  readonly loses: boolean;
  /** Monotonic milliseconds; Infinity: for ever. */
  readonly deadlineMs: number;
  /** The unit that has nothing but the command; undefined before it is submitted. */
  unit: UnitUnderWay | undefined;
  /** The command has found nothing, or waits for its turn. */
  isBlocked: boolean;
  /** `Waiters.losses` as the attempt began. */
  losses: number;
  /** The reply of a command that has found nothing. */
  nothing: Uint8Array;
  /** An error line, or '' for a time that is over. */
  endedBy: string | undefined;
}

interface WaitOwner {
  readonly access: ClientAccess;
  /** Takes the users as the node knows them now; `false`: the client is gone. */
  followUsers(): boolean;
  /** Of its next unit. */
  nextUnit(): UnitId;
  submitUnit(unit: UnitUnderWay): void;
  /** The unit is answered with these bytes, or this error line. */
  endUnit(unit: UnitUnderWay, answer: Uint8Array | string): void;
}

export class ClientWait implements WaitingClient, PausedClient {
  readonly #core: GatewayCore;
  readonly #owner: WaitOwner;
  #wait: Wait | undefined;

  constructor(core: GatewayCore, owner: WaitOwner) {
    this.#core = core;
    this.#owner = owner;
  }

  get unit(): UnitId | undefined {
    return this.#wait?.unit?.id;
  }

  get isBlocked(): boolean {
    return this.#wait?.isBlocked === true;
  }

  /** The next unit is this command alone, which waits if it finds nothing. */
  begin(route: StoreRoute, args: Arguments, database: number): void {
    const { waits } = route.command;
    const timeoutMs = waits?.timeoutMs(args);
    if (waits === undefined || timeoutMs === undefined) return;
    const group = waits.groupAt?.(args);
    const waitedFor = {
      database,
      keys: waits.keysOf(args).map((i) => args.text(i)),
      type: waitedType(waits.type, group === undefined ? undefined : args.text(group)),
      takes: waits.takes,
    };
    const deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#nowMs() + timeoutMs;
    this.#wait = {
      ...{ route, waitedFor, deadlineMs, loses: waits.loses },
      ...{ unit: undefined, isBlocked: false, nothing: new Uint8Array(0), endedBy: undefined },
      losses: this.#core.waiters.losses,
    };
  }

  /** `false`: the unit is to be submitted now. */
  queuesUp(unit: UnitUnderWay): boolean {
    const wait = this.#wait;
    if (wait === undefined) return false;
    wait.unit = unit;
    if (!this.#core.waiters.isQueued(wait.waitedFor)) {
      this.#core.counters.waitAttempts += 1;
      return false;
    }
    unit.isWaiting = true;
    wait.isBlocked = true;
    this.#core.waitFor(this, wait.waitedFor, wait.deadlineMs, true);
    return true;
  }

  /** The answer of an attempt. */
  foundNothing({ replies, waiting }: PartReplies): void {
    const wait = this.#wait;
    if (wait?.unit === undefined || waiting === undefined) return;
    wait.nothing = replies;
    if (wait.endedBy !== undefined || this.#nowMs() >= wait.deadlineMs) return this.#end(wait);
    wait.unit.repeat(this.#owner.nextUnit(), waiting.again);
    wait.unit.isWaiting = true;
    wait.isBlocked = true;
    const { takes } = wait.waitedFor;
    this.#core.waitFor(this, { ...waiting, takes }, wait.deadlineMs, false);
    // Some group may have forgotten it since it was noted there.
    if (this.#core.waiters.losses !== wait.losses) this.#core.waiters.lostOne(this);
  }

  tryAgain(): void {
    const { pause, counters } = this.#core;
    if (this.#asleep() === undefined || !this.#owner.followUsers() || !this.judge()) return;
    const wait = this.#asleep();
    if (wait === undefined) return;
    if (pause.isOn() && pause.stops(wait.route, false)) return pause.holdTry(this);
    wait.unit.isWaiting = false;
    wait.unit.startedMs = this.#nowMs();
    counters.waitAttempts += 1;
    wait.losses = this.#core.waiters.losses;
    this.#owner.submitUnit(wait.unit);
  }

  /** The pause is over. */
  resume(): void {
    this.tryAgain();
  }

  waitExpired(): void {
    const wait = this.#asleep();
    if (wait !== undefined) this.#end(wait);
  }

  /** As if its time was over, or with an error; while an attempt is under way that comes first. */
  unblock(line = ''): boolean {
    if (this.#wait === undefined) return false;
    this.#wait.endedBy ??= line;
    if (!this.#core.waiters.tryNow(this)) this.waitExpired();
    return true;
  }

  /** `false`: the user may not run it any more, which is its answer. */
  judge(): boolean {
    const wait = this.#asleep();
    const { access } = this.#owner;
    if (wait === undefined || access.isFree) return true;
    const args = new Arguments();
    args.next(wait.unit.parts[0]?.bytes ?? wait.nothing, 0);
    const wallMs = (): number => this.#core.services.clock.wallUs() / 1_000;
    const refusal = access.refusal(wait.route, args, false, wallMs);
    if (refusal === undefined) return true;
    wait.endedBy = refusal;
    this.#end(wait);
    return false;
  }

  /** Its unit is answered. */
  done(unit: UnitUnderWay): void {
    if (this.#wait === undefined) return;
    this.#wait = undefined;
    this.#core.pause.forget(this);
    this.#core.stopWaiting(this, unit.id);
  }

  /** The client is gone. */
  abandon(): void {
    const { unit, loses } = this.#wait ?? {};
    if (unit === undefined) return;
    this.done(unit);
    if (!unit.isWaiting && loses === true) this.#core.orphaned(unit.id);
  }

  #nowMs(): number {
    return this.#core.services.clock.monotonicMs();
  }

  /** The wait, while no attempt is under way. */
  #asleep(): (Wait & { unit: UnitUnderWay }) | undefined {
    const wait = this.#wait;
    return wait?.unit?.isWaiting === true ? (wait as Wait & { unit: UnitUnderWay }) : undefined;
  }

  #end({ unit, nothing, endedBy = '' }: Wait): void {
    if (unit !== undefined) this.#owner.endUnit(unit, endedBy === '' ? nothing : endedBy);
  }
}
