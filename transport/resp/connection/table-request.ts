/**
 * A request for the cluster's table that is under way: settings, users, scripts and functions.
 * First its transaction or read, then, where it has changed something, the wait until every node
 * that is up has the change.
 */

import { VERSION_ROW } from '../../../storage/cluster-settings.ts';
import { SETTING_COMMAND, TABLE_VERSION_COMMAND } from '../../../storage/commands/setting.ts';
import { USERS_COMMAND } from '../../../storage/commands/users.ts';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { requestOf } from '../../../storage/request.ts';
import type { UserRows } from '../../access/acl/user-table.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { ClusterChanges } from '../settings-registry.ts';
import type { OwnCommand } from './watched-keys.ts';

const NOT_EVERYWHERE = 'but not every node that is up has them yet';

/** The table, as nodes know it. */
interface TableView {
  /** The version that this node has. */
  clusterVersion(): number;
  /** Whether every node that is up has this one. */
  settingsHeld(version: number): boolean;
}

/** `everywhere`: until all nodes have the version that is answered; `here`: until this one has. */
type Wait = 'none' | 'here' | 'everywhere';

interface Options {
  readonly bytes: Buffer;
  readonly isRead: boolean;
  readonly wait: Wait;
  /** Waits until then at the longest. */
  readonly untilMs: number;
  /** Names the rows that are changed, for the client. */
  readonly what: string;
  readonly done: (out: ReplyWriter, reply: string) => void;
}

function writeRaw(out: ReplyWriter, reply: string): void {
  out.raw(Buffer.from(reply, 'latin1'));
}

export class TableRequest {
  readonly command: OwnCommand;
  readonly isRead: boolean;
  /** A request of the client waits for it, and fails with it. */
  readonly isForHeld: boolean;
  /** Writes the answer of one that has come to its end; `reply`: what the table's group said. */
  readonly done: Options['done'];
  readonly #options: Options;
  #reply = '';

  private constructor(options: Options) {
    this.#options = options;
    this.done = options.done;
    this.isRead = options.isRead;
    this.isForHeld = options.wait === 'here';
    // Every change of the table writes its version.
    const slots = options.isRead ? [slotOfText(VERSION_ROW)] : [];
    this.command = { bytes: options.bytes, slots, database: 0 };
  }

  static ofSettings(changes: ClusterChanges, untilMs: number): TableRequest {
    return new TableRequest({
      bytes: requestOf([SETTING_COMMAND, VERSION_ROW, ...changes.flat()]),
      isRead: false,
      wait: 'everywhere',
      untilMs,
      what: 'settings',
      done: (out) => out.simple('OK'),
    });
  }

  /** `version`: of the table that the change was planned with. */
  static ofUsers(
    rows: UserRows,
    version: number,
    untilMs: number,
    done: (out: ReplyWriter) => void,
  ): TableRequest {
    const bytes = requestOf([USERS_COMMAND, VERSION_ROW, String(version), ...rows.flat()]);
    return new TableRequest({
      bytes,
      isRead: false,
      wait: 'everywhere',
      untilMs,
      what: 'settings',
      done,
    });
  }

  /** A client's own request that reads. */
  static ofRead(bytes: Buffer): TableRequest {
    return new TableRequest({
      ...{ bytes, isRead: true, wait: 'none', untilMs: 0, what: '' },
      done: writeRaw,
    });
  }

  /** A client's own request that changes. `onlyAdds`: what nodes lack, they ask for. */
  static ofCode(bytes: Buffer, onlyAdds: boolean, untilMs: number): TableRequest {
    const wait = onlyAdds ? 'none' : 'everywhere';
    return new TableRequest({
      ...{ bytes, isRead: false, wait, untilMs, what: 'scripts and functions' },
      done: writeRaw,
    });
  }

  /** Until this node has what was changed before. */
  static ofVersion(untilMs: number, done: (out: ReplyWriter) => void): TableRequest {
    const bytes = requestOf([TABLE_VERSION_COMMAND, VERSION_ROW]);
    return new TableRequest({ bytes, isRead: true, wait: 'here', untilMs, what: '', done });
  }

  /** Takes the answer, in pieces. */
  reply(bytes: Uint8Array): void {
    this.#reply += Buffer.from(bytes).toString('latin1');
  }

  /**
   * After the answer: the error line of one that failed or lasts too long, or what is to be told to
   * the client; `undefined`: it is to wait.
   */
  outcome(nowMs: number, view: TableView): { error: string } | { reply: string } | undefined {
    const { wait, untilMs, what } = this.#options;
    if (this.#reply.startsWith('-')) return { error: this.#reply.slice(1).trimEnd() };
    if (this.isRead && wait === 'none') return { reply: this.#reply };
    const [head = '', digits] = /^(?:\*2\r\n)?:(\d+)\r\n/.exec(this.#reply) ?? [];
    const version = Number(digits);
    const hasCome = wait === 'here' ? view.clusterVersion() >= version : view.settingsHeld(version);
    if (wait === 'none' || hasCome) return { reply: this.#reply.slice(head.length) };
    if (nowMs < untilMs) return undefined;
    return { error: what === '' ? BEHIND : `ERR the ${what} are changed, ${NOT_EVERYWHERE}` };
  }
}

const BEHIND = 'TRYAGAIN refused, nothing was done: this node does not have all changes yet';
