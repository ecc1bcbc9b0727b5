/**
 * The credentials of `holoctl` at admin ports: the token of `HOLO_ADMIN_TOKEN_FILE`, a session of `holoctl
 * login`, or the token of a node of this machine, whose file this user may read. And how it speaks
 * to them: over TLS where `HOLO_ADMIN_CA_FILE` names who has issued their certificates.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { parseTokens } from '../access/admin/admin-token.ts';
import { isLoopback } from '../access/loopback.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { fileErrorText } from '../file-error.ts';
import { CSRF_HEADER } from '../http/admin-access.ts';
import type { SocketFactory } from '../socket-factory.ts';
import { UsageError } from './command-line.ts';

const TOKEN_FILE_VARIABLE = 'HOLO_ADMIN_TOKEN_FILE';
const CA_FILE_VARIABLE = 'HOLO_ADMIN_CA_FILE';
const OWNER_ALONE = 0o600;

interface SavedSession {
  readonly user: string;
  /** `name=value`. */
  readonly cookie: string;
  readonly csrf: string;
}

class AdminCredentials {
  /** By endpoint: tokens of nodes of this machine. */
  readonly #learnt = new Map<string, string>();

  headersFor(endpoint: Endpoint): Readonly<Record<string, string>> {
    const { [TOKEN_FILE_VARIABLE]: file = '' } = process.env;
    const name = formatEndpoint(endpoint);
    const token = file === '' ? this.#learnt.get(name) : tokenOf(file);
    if (token !== undefined) return { Authorization: `Bearer ${token}` };
    const session = sessions()[name];
    if (session === undefined) return {};
    return { Cookie: session.cookie, [CSRF_HEADER]: session.csrf };
  }

  /**
   * Takes the token from a file that a node names; `false`: nothing new. Only of nodes of this
   * machine, and nothing but a token: who else listens there must not be sent other files.
   */
  learn(endpoint: Endpoint, named: string): boolean {
    const name = formatEndpoint(endpoint);
    if (!isLoopback(endpoint.host) || this.#learnt.has(name)) return false;
    try {
      const [token] = parseTokens(readFileSync(decodeURI(named), 'utf8'));
      if (token === undefined) return false;
      this.#learnt.set(name, token);
      return true;
    } catch {
      // Of another user, or no token: the node's answer says to log in.
      return false;
    }
  }

  sockets(): { readonly sockets?: Pick<SocketFactory, 'dial'> } {
    const { [CA_FILE_VARIABLE]: path = '' } = process.env;
    if (path === '') return {};
    const ca = readText(CA_FILE_VARIABLE, path);
    const dial: SocketFactory['dial'] = ({ host, port }, connected) => {
      const servername = isIP(host) === 0 ? host : '';
      return connect({ host, port, ca, servername }, connected);
    };
    return { sockets: { dial } };
  }
}

export const admin = new AdminCredentials();

/** `undefined`: the session is forgotten. @throws UsageError where it cannot be saved. */
export function saveSession(endpoint: Endpoint, session: SavedSession | undefined): void {
  const path = sessionsFile();
  const { [formatEndpoint(endpoint)]: _before, ...others } = sessions();
  const all = session === undefined ? others : { ...others, [formatEndpoint(endpoint)]: session };
  const draft = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(all)}\n`, { mode: OWNER_ALONE });
    chmodSync(draft, OWNER_ALONE);
    renameSync(draft, path);
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${fileErrorText(error)}`);
  }
}

/** By endpoint. A file that is absent or damaged holds none. */
function sessions(): Readonly<Record<string, SavedSession>> {
  try {
    const kept: unknown = JSON.parse(readFileSync(sessionsFile(), 'utf8'));
    return typeof kept === 'object' && kept !== null ? (kept as Record<string, SavedSession>) : {};
  } catch {
    return {};
  }
}

function sessionsFile(): string {
  const { XDG_STATE_HOME: state = join(homedir(), '.local', 'state') } = process.env;
  return join(state, 'holostore', 'sessions.json');
}

function tokenOf(path: string): string | undefined {
  const text = readText(TOKEN_FILE_VARIABLE, path);
  try {
    return parseTokens(text)[0];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${TOKEN_FILE_VARIABLE} ${path}: ${reason}`);
  }
}

function readText(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${variable} ${path}: ${fileErrorText(error)}`);
  }
}
