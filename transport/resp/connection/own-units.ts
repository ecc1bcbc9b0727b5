/**
 * Units in which a connection asks for itself: for the states of keys that it watches, and for
 * changes of the cluster's settings and users. It takes their answers, and answers its client.
 */
import type { UserRows } from '../../access/acl/user-table.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { GatewayCore } from '../gateway-core.ts';
import type { ClusterChanges } from '../settings-registry.ts';
import type { ClientState } from './client-state.ts';
import { SettingChange } from './setting-change.ts';
import type { UnitBuilder } from './unit-builder.ts';
import type { ReplyOutput, UnitUnderWay } from './unit-under-way.ts';
import { WatchedKeys } from './watched-keys.ts';

interface OwnUnitsOwner {
  readonly client: ClientState;
  /** Submits what the builder holds; `isDiscarded`: the client has asked for no reply. */
  submit(isDiscarded: boolean): void;
  /** To its client, now. */
  answer(write: (out: ReplyWriter) => void): void;
}

export class OwnUnits {
  readonly watched = new WatchedKeys();
  readonly #core: GatewayCore;
  readonly #builder: UnitBuilder;
  readonly #owner: OwnUnitsOwner;
  /** A change of the cluster's table: nothing is parsed before it is answered. */
  #change: SettingChange | undefined;
  /** Its reply is not wanted. */
  #isDiscarded = false;

  constructor(core: GatewayCore, builder: UnitBuilder, owner: OwnUnitsOwner) {
    this.#core = core;
    this.#builder = builder;
    this.#owner = owner;
  }

  get isChanging(): boolean {
    return this.#change !== undefined;
  }

  /** Takes the answers of the unit. */
  get answers(): ReplyOutput {
    return this.#change ?? this.watched;
  }

  watch(keys: readonly string[], out: ReplyWriter): void {
    const refusal = this.watched.begin(this.#owner.client.database, keys, this.#core.limits);
    if (refusal !== undefined) return out.error(refusal);
    const questions = this.watched.questions();
    if (questions.length > 0) this.#builder.addQuestions(questions);
    else out.simple('OK');
  }

  changeCluster(changes: ClusterChanges): void {
    this.#begin(SettingChange.ofSettings(changes, this.#untilMs()));
  }

  changeUsers(rows: UserRows, done: (out: ReplyWriter) => void): void {
    const version = this.#core.services.clusterVersion();
    this.#begin(SettingChange.ofUsers(rows, version, this.#untilMs(), done));
  }

  #untilMs(): number {
    const { services, limits } = this.#core;
    return services.clock.monotonicMs() + limits.settingWaitMsMax;
  }

  #begin(change: SettingChange): void {
    this.#change = change;
    this.#builder.addTableChange(change.command);
  }

  /** The unit is done. `false`: there is more to wait for. */
  answered({ discarded }: UnitUnderWay): boolean {
    if (this.#change === undefined) return this.#watchAnswered(discarded);
    this.#isDiscarded = discarded;
    return this.checkChange(this.#core.services.clock.monotonicMs());
  }

  /** No unit is under way. `false`: some node does not have the change yet, or there is none. */
  checkChange(nowMs: number): boolean {
    if (this.#change === undefined) return false;
    const { services } = this.#core;
    const outcome = this.#change.outcome(nowMs, (version) => services.settingsHeld(version));
    if (outcome === undefined) return false;
    const { done } = this.#change;
    this.#change = undefined;
    if (this.#isDiscarded) return true;
    this.#owner.answer(outcome === 'OK' ? done : (out) => out.error(outcome));
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
