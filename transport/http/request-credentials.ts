/**
 * The credentials that a request to the admin port carries: a token or a user's password in
 * `Authorization`, or a session's cookie. Pure.
 */
import type { Credentials } from '../access/admin/admin-door.ts';

interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
}

const SESSION_ID = /^[0-9a-f]{64}$/;

/** Cookies know hosts, not ports: each node of a machine has a name of its own. */
export function cookieName(port: number): string {
  return `holostore_${port}`;
}

/** `port`: of the node. `Authorization` wins over a cookie. */
export function credentialsOf(headers: CredentialHeaders, port: number): Credentials {
  const { authorization = '', cookie = '' } = headers;
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { type: 'token', token: value };
    case 'basic': {
      const text = Buffer.from(value, 'base64').toString('latin1');
      const colon = text.indexOf(':');
      const at = colon < 0 ? text.length : colon;
      return { type: 'password', user: text.slice(0, at), password: text.slice(at + 1) };
    }
  }
  const id = cookieIn(cookie, cookieName(port));
  return id !== undefined && SESSION_ID.test(id) ? { type: 'session', id } : { type: 'none' };
}

function cookieIn(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}

/** The body of a login: `{"token"}` or `{"user", "password"}`; `undefined`: neither. */
export function credentialsIn(body: string): Credentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { token, user, password } = value as Readonly<Record<string, unknown>>;
  if (typeof token === 'string') return { type: 'token', token };
  if (typeof user !== 'string' || typeof password !== 'string') return undefined;
  return passwordOf(user, password);
}

/** As the Redis port sees it: one character per byte. */
export function passwordOf(user: string, password: string): Credentials {
  const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
  return { type: 'password', user: bytes(user), password: bytes(password) };
}
