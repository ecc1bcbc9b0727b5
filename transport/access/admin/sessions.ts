/**
 * Sessions of one node's admin port: in memory, ended by time, by logging out, and by the loss of
 * what they were opened with. Their ids are random, made at the login and never taken from a
 * request.
 */
import { generatedPassword, hashOf } from '../passwords.ts';

const SESSION_MS_MAX = 12 * 3_600_000;
const IDLE_MS_MAX = 30 * 60_000;
/** Beyond, the one that has been idle for longest ends. */
const SESSIONS_MAX = 256;
const ID_BITS = 256;

/** The proof that opened a session, which lasts as long as it is valid. */
export type Proof =
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'password'; readonly user: string; readonly hash: string };

export interface Session {
  readonly id: string;
  /** A request that changes something and is carried by a cookie brings it in a header. */
  readonly csrf: string;
  readonly proof: Proof;
}

interface Kept extends Session {
  readonly openedMs: number;
  usedMs: number;
}

export class Sessions {
  /** By the hash of the id, so that a look-up tells no more than a hash; idle longest first. */
  readonly #kept = new Map<string, Kept>();

  open(proof: Proof, nowMs: number): Session {
    const id = generatedPassword(ID_BITS);
    const csrf = generatedPassword(ID_BITS);
    const session = { id, csrf, proof, openedMs: nowMs, usedMs: nowMs };
    this.#kept.set(hashOf(session.id), session);
    if (this.#kept.size > SESSIONS_MAX) {
      const [idlest] = this.#kept.keys();
      if (idlest !== undefined) this.#kept.delete(idlest);
    }
    return session;
  }

  /** The session, which begins to be idle anew; `undefined`: there is none, or it has ended. */
  find(id: string, nowMs: number): Session | undefined {
    const name = hashOf(id);
    const session = this.#kept.get(name);
    if (session === undefined) return undefined;
    this.#kept.delete(name);
    const { openedMs, usedMs } = session;
    if (nowMs - openedMs >= SESSION_MS_MAX || nowMs - usedMs >= IDLE_MS_MAX) return undefined;
    session.usedMs = nowMs;
    this.#kept.set(name, session);
    return session;
  }

  close(id: string): void {
    this.#kept.delete(hashOf(id));
  }

  get size(): number {
    return this.#kept.size;
  }
}
