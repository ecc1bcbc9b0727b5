/** The console as the admin port sees it: files of a page, and sockets that it takes over. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../access/admin/admin-door.ts';
import type { Identity } from '../access/admin/roles.ts';

export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** As a page sends them; `none`: those of the request that opened its socket. */
export type ConsoleCredentials =
  | { readonly type: 'none' }
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'password'; readonly user: string; readonly password: string };

/** The user of a console, as of now; a refusal of wrong credentials comes late. */
export type Identify = (credentials: ConsoleCredentials) => Promise<Identity | Refusal>;

export interface ConsoleDoor {
  /** `path` without a query; undefined: there is no such file. */
  file(path: string): PageFile | undefined;
  /** The content security policy of the page. */
  policy(): Promise<string>;
  isSocket(path: string): boolean;
  /** Whether a page of this origin, not the node's own, may open a socket here. */
  isOrigin(origin: string): boolean;
  /** As many are open as may be. */
  readonly isFull: boolean;
  /** The request has been judged: it is ours, and no foreign page's. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, identify: Identify): void;
  close(): void;
}
