/**
 * Units in which a connection asks for itself: for the states of keys that it watches, and for what
 * is in the cluster's table: settings, users, scripts and functions. It takes their answers, and
 * answers its client.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import type { UserRows } from '../../access/acl/user-table.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { GatewayCore } from '../gateway-core.ts';
import type { StoreRoute } from '../routes.ts';
import type { ClusterChanges } from '../settings-registry.ts';
import type { ClientState } from './client-state.ts';
import { TableRequest } from './table-request.ts';
import type { UnitBuilder } from './unit-builder.ts';
import type { ReplyOutput, UnitUnderWay } from './unit-under-way.ts';
import { WatchedKeys } from './watched-keys.ts';

/** Loading without replacing: a node that lacks what was loaded asks for it. */
const ONLY_ADD: ReadonlySet<string> = new Set(['SCRIPT|LOAD', 'FUNCTION|LOAD']);

interface OwnUnitsOwner {
  readonly client: ClientState;
  /** Submits what the builder holds; `isDiscarded`: the client has asked for no reply. */
  submit(isDiscarded: boolean): void;
  /** To its client, now. */
  answer(write: (out: ReplyWriter) => void): void;
  /** The request that waits is answered with this error line, and so done. */
  refuseHeld(line: string): void;
}

export class OwnUnits {
  readonly watched = new WatchedKeys();
  readonly #core: GatewayCore;
  readonly #builder: UnitBuilder;
  readonly #owner: OwnUnitsOwner;
  /** A request for the cluster's table: nothing is parsed before it is answered. */
  #request: TableRequest | undefined;
  /** Its reply is not wanted. */
  #isDiscarded = false;
  /** The request that comes next has waited for the table. */
  #isTableFresh = false;

  constructor(core: GatewayCore, builder: UnitBuilder, owner: OwnUnitsOwner) {
    this.#core = core;
    this.#builder = builder;
    this.#owner = owner;
  }

  get asksTable(): boolean {
    return this.#request !== undefined;
  }

  /** Whether the next request has waited for the table; asked once. */
  takeFreshness(): boolean {
    const isFresh = this.#isTableFresh;
    this.#isTableFresh = false;
    return isFresh;
  }

  /** Takes the answers of the unit. */
  get answers(): ReplyOutput {
    return this.#request ?? this.watched;
  }

  watch(keys: readonly string[], out: ReplyWriter): void {
    const refusal = this.watched.begin(this.#owner.client.database, keys, this.#core.limits);
    if (refusal !== undefined) return out.error(refusal);
    const questions = this.watched.questions();
    if (questions.length > 0) this.#builder.addQuestions(questions);
    else out.simple('OK');
  }

  changeCluster(changes: ClusterChanges): void {
    this.#begin(TableRequest.ofSettings(changes, this.#untilMs()));
  }

  changeUsers(rows: UserRows, done: (out: ReplyWriter) => void): void {
    const version = this.#core.services.clusterVersion();
    this.#begin(TableRequest.ofUsers(rows, version, this.#untilMs(), done));
  }

  /** A command of the client on the table. */
  askTable({ name, writes }: StoreRoute, { count }: Arguments, bytes: Buffer): void {
    if (!writes) return this.#begin(TableRequest.ofRead(bytes));
    const onlyAdds = count === 3 && ONLY_ADD.has(name);
    this.#begin(TableRequest.ofCode(bytes, onlyAdds, this.#untilMs()));
  }

  /** The client's next request is to wait until this node has what was changed before. */
  freshenTable(): void {
    const done = (): void => {
      this.#isTableFresh = true;
    };
    this.#begin(TableRequest.ofVersion(this.#untilMs(), done));
  }

  #untilMs(): number {
    const { services, limits } = this.#core;
    return services.clock.monotonicMs() + limits.settingWaitMsMax;
  }

  #begin(request: TableRequest): void {
    this.#request = request;
    this.#builder.addTableRequest(request);
  }

  /** The unit is done. `false`: there is more to wait for. */
  answered({ discarded }: UnitUnderWay): boolean {
    if (this.#request === undefined) return this.#watchAnswered(discarded);
    this.#isDiscarded = discarded;
    return this.checkRequest(this.#core.services.clock.monotonicMs());
  }

  /** No unit is under way. `false`: some node does not have the change yet, or there is none. */
  checkRequest(nowMs: number): boolean {
    if (this.#request === undefined) return false;
    const outcome = this.#request.outcome(nowMs, this.#core.services);
    if (outcome === undefined) return false;
    const { done, isForHeld } = this.#request;
    this.#request = undefined;
    if (this.#isDiscarded) return true;
    if ('reply' in outcome) this.#owner.answer((out) => done(out, outcome.reply));
    else if (isForHeld) this.#owner.refuseHeld(outcome.error);
    else this.#owner.answer((out) => out.error(outcome.error));
    return true;
  }

  /** `false`: some questions must be asked again, and are. */
  #watchAnswered(discarded: boolean): boolean {
    const failure = this.watched.answered();
    const questions = this.watched.questions();
    if (questions.length > 0) {
      this.#builder.addQuestions(questions);
      this.#owner.submit(discarded);
      return false;
    }
    if (discarded) return true;
    this.#owner.answer((out) => (failure === undefined ? out.simple('OK') : out.error(failure)));
    return true;
  }
}
