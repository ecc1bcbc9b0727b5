/**
 * The caller of a request to the admin port, and logging in and out. Knows HTTP; what credentials
 * are worth, the door decides.
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminDoor, Credentials, Refusal } from '../access/admin/admin-door.ts';
import type { Identity } from '../access/admin/roles.ts';
import { type Answer, jsonAnswer, textAnswer } from './answer.ts';
import type { ConsoleCredentials } from './console-door.ts';
import { readBody } from './request-body.ts';
import { cookieName, credentialsIn, credentialsOf, passwordOf } from './request-credentials.ts';

/** A page of another origin may not send it. */
export const OPERATOR_HEADER = 'x-holo-operator';
/** Requests of a session that change something bring it. */
export const CSRF_HEADER = 'x-holo-csrf';
/** Tells programs of this machine which file holds the token. */
export const TOKEN_FILE_HEADER = 'x-holo-token-file';

const BODY_BYTES_MAX = 4 * 1024;
/** Answers to wrong passwords that are held back at once, for all callers of an address. */
const HELD_BACK_MAX = 8;

interface Caller {
  /** `undefined`: no role. */
  readonly identity: Identity | undefined;
  /** Without credentials, or with a session that has ended. */
  readonly isAnonymous: boolean;
}

export class AdminAccess {
  readonly #door: AdminDoor;
  readonly #isTls: boolean;
  /** By address. */
  readonly #heldBack = new Map<string, number>();
  /** Of the admin port. */
  port = 0;

  constructor(door: AdminDoor, isTls: boolean) {
    this.#door = door;
    this.#isTls = isTls;
  }

  /** Of a console: with `none`, as its request is. A refusal comes late. */
  async identify(
    asked: ConsoleCredentials,
    request: IncomingMessage,
    source: string,
  ): Promise<Identity | Refusal> {
    const credentials = asked.type === 'password' ? passwordOf(asked.user, asked.password) : asked;
    if (credentials.type !== 'none') {
      return this.#judged(credentials, source, (each) => this.#door.identify(each, source));
    }
    const caller = await this.callerOf(request, source);
    if ('refused' in caller) return caller;
    return caller.identity ?? { refused: 'log in', afterMs: 0 };
  }

  /** A refusal is of credentials that are wrong, and comes late. */
  async callerOf({ headers }: IncomingMessage, source: string): Promise<Caller | Refusal> {
    const credentials = credentialsOf(headers, this.port);
    if (credentials.type !== 'none') {
      const outcome = await this.#judged(credentials, source, (asked) =>
        this.#door.identify(asked, source),
      );
      if (!('refused' in outcome)) return { identity: outcome, isAnonymous: false };
      if (credentials.type !== 'session') return outcome;
    }
    const anonymous = this.#door.identify({ type: 'none' }, source);
    return { identity: 'refused' in anonymous ? undefined : anonymous, isAnonymous: true };
  }

  /** Why this request may change nothing, whoever sends it. */
  forgeryOf({ headers }: IncomingMessage): string | undefined {
    const credentials = credentialsOf(headers, this.port);
    if (credentials.type !== 'session') {
      return headers[OPERATOR_HEADER] === undefined ? `${OPERATOR_HEADER} is missing` : undefined;
    }
    const csrf = this.#door.csrfOf(credentials.id);
    if (csrf !== undefined && headers[CSRF_HEADER] === csrf) return undefined;
    return `${CSRF_HEADER} is not that of the session`;
  }

  async login(request: IncomingMessage, source: string): Promise<Answer> {
    const { 'content-type': type = '' } = request.headers;
    // A form of another site cannot send it.
    if (!/^application\/json\b/i.test(type)) return textAnswer(415, 'a login is sent as JSON');
    const body = await readBody(request, BODY_BYTES_MAX);
    if (body === undefined) return textAnswer(413, 'a login is not as long');
    const credentials = credentialsIn(body);
    if (credentials === undefined) {
      return textAnswer(400, 'a login is {"token"}, or {"user", "password"}');
    }
    const before = credentialsOf(request.headers, this.port);
    const outcome = await this.#judged(credentials, source, (asked) =>
      this.#door.login(asked, source),
    );
    if ('refused' in outcome) return textAnswer(401, outcome.refused);
    if (before.type === 'session') this.#door.logout(before.id);
    const { user, role, session } = outcome;
    const cookie = this.#cookie(session.id);
    return jsonAnswer({ user, role, csrf: session.csrf }, { 'Set-Cookie': cookie });
  }

  logout({ headers }: IncomingMessage): Answer {
    const credentials = credentialsOf(headers, this.port);
    if (credentials.type === 'session') this.#door.logout(credentials.id);
    return textAnswer(200, 'ok', { 'Set-Cookie': `${this.#cookie('')}; Max-Age=0` });
  }

  /** With what a page needs to send requests of the session. */
  whoami({ headers }: IncomingMessage, identity: Identity | undefined): Answer {
    const credentials = credentialsOf(headers, this.port);
    const csrf = credentials.type === 'session' ? this.#door.csrfOf(credentials.id) : undefined;
    return jsonAnswer({ ...(identity ?? { user: null, role: null }), csrf });
  }

  #cookie(id: string): string {
    const secure = this.#isTls ? '; Secure' : '';
    return `${cookieName(this.port)}=${id}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  }

  /** A refusal comes after its time; too many at once are not judged at all. */
  async #judged<T extends Identity>(
    credentials: Credentials,
    source: string,
    judge: (credentials: Credentials) => T | Refusal,
  ): Promise<T | Refusal> {
    const host = source.replace(/:\d+$/, '');
    const held = this.#heldBack.get(host) ?? 0;
    if (credentials.type === 'password' && held >= HELD_BACK_MAX) {
      return { refused: 'too many wrong passwords from this address: try again later', afterMs: 0 };
    }
    const outcome = judge(credentials);
    if (!('refused' in outcome) || outcome.afterMs === 0) return outcome;
    this.#heldBack.set(host, held + 1);
    await sleep(outcome.afterMs, undefined, { ref: false });
    const left = (this.#heldBack.get(host) ?? 1) - 1;
    if (left > 0) this.#heldBack.set(host, left);
    else this.#heldBack.delete(host);
    return outcome;
  }
}
