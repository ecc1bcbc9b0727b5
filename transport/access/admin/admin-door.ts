/**
 * The door of one node's admin port: `identify` turns credentials, whatever carried them, into a
 * user and a role. Users are those of the Redis port. The token of the node's token
 * file stands for an administrator, and is judged while the node does not serve clients yet.
 */
import type { AccessControl } from '../access-control.ts';
import type { User } from '../acl/user.ts';
import { FailureBackoff } from '../failure-backoff.ts';
import { isLoopbackEndpoint } from '../loopback.ts';
import { hashOf } from '../passwords.ts';
import { isOneOf } from './admin-token.ts';
import { atMost, type Identity, type Role, roleOf } from './roles.ts';
import { type Proof, type Session, Sessions } from './sessions.ts';

export type Credentials =
  | { readonly type: 'none' }
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'password'; readonly user: string; readonly password: string }
  /** The id of a session of this node. */
  | { readonly type: 'session'; readonly id: string };

export interface Refusal {
  readonly refused: string;
  /** To be answered so much later: guesses take time. */
  readonly afterMs: number;
}

interface DoorOptions {
  /** Valid ones, of the token file. */
  readonly tokens: () => readonly string[];
  /** Of the Redis port; `undefined`: it is not open yet. */
  readonly users: () => AccessControl | undefined;
  readonly clock: { readonly wallUs: () => number; readonly monotonicMs: () => number };
  /** Told of each login, and of each one that was refused. */
  readonly onLogin?: (user: string, source: string, role: Role | undefined) => void;
}

/** Of who has shown the token. */
export const TOKEN_USER = '(token)';
const NOBODY = 'no credentials were given';
const WRONG_TOKEN = 'the token is not that of this node';
const WRONG_PASSWORD = 'the user or the password is wrong, or the user is disabled';
const NO_ROLE = 'this user has no role at the admin port (docs/security.md)';
const NO_SESSION = 'the session has ended: log in again';
const NO_USERS_YET = 'the node does not serve users yet: log in with the token of its token file';

export class AdminDoor {
  readonly #options: DoorOptions;
  readonly #sessions = new Sessions();
  readonly #tokenFailures = new FailureBackoff();
  /** Logins that were refused. */
  refused = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** `source`: `host:port` of who asks. */
  identify(credentials: Credentials, source: string): Identity | Refusal {
    switch (credentials.type) {
      case 'none':
        return this.#anonymous(source);
      case 'session': {
        const session = this.#sessions.find(credentials.id, this.#nowMs());
        return session === undefined ? refusal(NO_SESSION) : this.#byProof(session.proof);
      }
      default: {
        const proof = this.#prove(credentials, source);
        return 'refused' in proof ? proof : this.#byProof(proof);
      }
    }
  }

  /** Always a session of its own, so that one which was slipped to a browser is worth nothing. */
  login(credentials: Credentials, source: string): (Identity & { session: Session }) | Refusal {
    if (credentials.type !== 'token' && credentials.type !== 'password') return refusal(NOBODY);
    const proof = this.#prove(credentials, source);
    if ('refused' in proof) return proof;
    const identity = this.#byProof(proof);
    if ('refused' in identity) return identity;
    this.#options.onLogin?.(identity.user, source, identity.role);
    return { ...identity, session: this.#sessions.open(proof, this.#nowMs()) };
  }

  logout(id: string): void {
    this.#sessions.close(id);
  }

  /** Of a session that has not ended. */
  csrfOf(id: string): string | undefined {
    return this.#sessions.find(id, this.#nowMs())?.csrf;
  }

  /** Whether anyone who connects is let in: then protected mode keeps others out. */
  get isOpen(): boolean {
    const users = this.#options.users();
    users?.refresh();
    return users?.isOpen ?? true;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /**
   * As at the Redis port: without a password, who connects is the default user. Where protected
   * mode is off, who comes from elsewhere may look alone.
   */
  #anonymous(source: string): Identity | Refusal {
    const users = this.#options.users();
    users?.refresh();
    const user = users?.initialUser();
    if (users === undefined || user === undefined) return refusal(NOBODY);
    const identity = identityIn(users, user);
    if ('refused' in identity || isLoopbackEndpoint(source)) return identity;
    return { ...identity, role: atMost(identity.role, 'viewer') };
  }

  /** Judges a token or a password; failures of an address take ever longer. */
  #prove(
    credentials: Exclude<Credentials, { type: 'none' | 'session' }>,
    source: string,
  ): Proof | Refusal {
    const host = source.replace(/:\d+$/, '');
    if (credentials.type === 'token') {
      const { token } = credentials;
      if (!isOneOf(this.#options.tokens(), token)) {
        const afterMs = this.#tokenFailures.failed(host, this.#nowMs());
        return this.#failed(TOKEN_USER, source, { refused: WRONG_TOKEN, afterMs });
      }
      this.#tokenFailures.succeeded(host);
      return { type: 'token', token };
    }
    const { user, password } = credentials;
    const users = this.#options.users();
    if (users === undefined) return refusal(NO_USERS_YET);
    users.refresh();
    const outcome = users.login(user, password, host, this.#nowMs());
    if (typeof outcome !== 'number') return { type: 'password', user, hash: hashOf(password) };
    const client = `addr=${source} name=admin`;
    const denied = { reason: 'auth', context: 'toplevel', object: 'AUTH', username: user } as const;
    users.log.add({ ...denied, client }, this.#options.clock.wallUs() / 1_000);
    return this.#failed(user, source, { refused: WRONG_PASSWORD, afterMs: outcome });
  }

  #failed(user: string, source: string, told: Refusal): Refusal {
    this.refused += 1;
    this.#options.onLogin?.(user, source, undefined);
    return told;
  }

  /** By what is in force now: a user or token that has gone, or another password, ends it. */
  #byProof(proof: Proof): Identity | Refusal {
    if (proof.type === 'token') {
      if (!isOneOf(this.#options.tokens(), proof.token)) return refusal(NO_SESSION);
      return { user: TOKEN_USER, role: 'admin' };
    }
    const users = this.#options.users();
    if (users === undefined) return refusal(NO_USERS_YET);
    users.refresh();
    const user = users.users.find(proof.user);
    const isProven = user?.needsNoPassword === true || user?.passwords.includes(proof.hash);
    if (user === undefined || !user.isOn || isProven !== true) return refusal(NO_SESSION);
    return identityIn(users, user);
  }
}

function identityIn(users: AccessControl, user: User): Identity | Refusal {
  const refused = users.leaseRefusal(user);
  if (refused !== undefined) return refusal(refused);
  const role = roleOf(user);
  return role === undefined ? refusal(NO_ROLE) : { user: user.name, role };
}

function refusal(refused: string): Refusal {
  return { refused, afterMs: 0 };
}
