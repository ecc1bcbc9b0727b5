/**
 * The user of one connection, and what the connection may do: judged when a command is accepted, by
 * the users that this node knows then. It follows changes of the users.
 */
import { denialText } from '../../../storage/commands/access/judge.ts';
import { ALL_PERMISSIONS } from '../../../storage/commands/access/permissions.ts';
import type { Words } from '../../../storage/commands/command.ts';
import { type AccessControl, NOAUTH } from '../../access/access-control.ts';
import type { User } from '../../access/acl/user.ts';
import { DEFAULT_USER } from '../../access/acl/user.ts';
import type { Route } from '../routes.ts';
import type { ClientState } from './client-state.ts';

export class ClientAccess {
  readonly #control: AccessControl;
  readonly #client: ClientState;
  readonly #certifiedName: string | undefined;
  /** `undefined`: nobody has logged in. */
  #user: User | undefined;
  #version: number;

  /** `certifiedName`: of the client's certificate, which logs in the user of that name. */
  constructor(control: AccessControl, client: ClientState, certifiedName?: string) {
    this.#control = control;
    this.#client = client;
    this.#version = control.version;
    this.#certifiedName = certifiedName;
    this.#enter();
  }

  get user(): User | undefined {
    return this.#user;
  }

  /** Nothing that it sends need be judged. */
  get isFree(): boolean {
    const user = this.#user;
    if (user?.isUnlimited !== true) return false;
    return this.#control.leaseRefusal(user) === undefined;
  }

  /** Of the user, by value. */
  get permissions(): string {
    return this.#user?.permissions ?? ALL_PERMISSIONS;
  }

  become(user: User): void {
    this.#user = user;
    this.#client.user = user.name;
  }

  /** As after connecting. */
  reset(): void {
    this.#enter();
  }

  #enter(): void {
    const certified = this.#control.certifiedUser(this.#certifiedName);
    this.#user = certified ?? this.#control.initialUser();
    this.#client.user = certified?.name ?? DEFAULT_USER;
  }

  /**
   * Takes the users as they are known now. `changed`: this one has other permissions; `gone`: it is
   * not there any more.
   */
  refresh(): 'same' | 'changed' | 'gone' {
    if (this.#control.version === this.#version) return 'same';
    this.#version = this.#control.version;
    if (this.#user === undefined) {
      this.#enter();
      return 'same';
    }
    const user = this.#control.users.find(this.#user.name);
    if (user === undefined) return 'gone';
    const changed = user !== this.#user;
    this.#user = user;
    return changed ? 'changed' : 'same';
  }

  /** The error line of a command that this user may not run. */
  refusal({ judged }: Route, args: Words, isInMulti: boolean, wallMs: () => number) {
    const user = this.#user;
    if (user === undefined) return judged.isForAll ? undefined : NOAUTH;
    const refusal = judged.isForAll ? undefined : this.#control.leaseRefusal(user);
    if (refusal !== undefined || user.isUnlimited) return refusal;
    const denial = this.#control.denial(user, judged, args);
    if (denial === undefined || typeof denial === 'string') return denial;
    const { kind, object } = denial;
    const context = isInMulti ? 'multi' : 'toplevel';
    this.#note(kind, context, object, user.name, wallMs());
    return `NOPERM ${denialText(user.name, denial)}`;
  }

  /** Whether this user may hear these channels, or patterns. */
  allowsChannels(names: readonly string[], arePatterns: boolean): boolean {
    const selectors = [...(this.#user?.allSelectors() ?? [])];
    return names.every((name) => selectors.some((each) => each.allowsChannel(name, arePatterns)));
  }

  /** Logs in; returns milliseconds until the refusal is to be answered, if it is refused. */
  login(name: string, password: string, nowMs: number, wallMs: number): number | undefined {
    const outcome = this.#control.login(name, password, this.#host(), nowMs);
    if (typeof outcome !== 'number') {
      this.become(outcome);
      return undefined;
    }
    this.#note('auth', 'toplevel', 'AUTH', name, wallMs);
    return outcome;
  }

  /** Without the port. */
  #host(): string {
    return this.#client.address.replace(/:\d+$/, '');
  }

  #note(
    reason: 'command' | 'key' | 'channel' | 'auth',
    context: 'toplevel' | 'multi',
    object: string,
    username: string,
    wallMs: number,
  ): void {
    const { id, address, localAddress, name } = this.#client;
    const client = `id=${id} addr=${address} laddr=${localAddress} name=${name}`;
    this.#control.log.add({ reason, context, object, username, client }, wallMs);
  }
}
