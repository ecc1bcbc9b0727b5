/**
 * A change of settings or users of the cluster that is under way: first the transaction that
 * changes them, then the wait until every node that is up has the change.
 */

import { VERSION_ROW } from '../../../storage/cluster-settings.ts';
import { SETTING_COMMAND } from '../../../storage/commands/setting.ts';
import { USERS_COMMAND } from '../../../storage/commands/users.ts';
import { requestOf } from '../../../storage/request.ts';
import type { UserRows } from '../../access/acl/user-table.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { ClusterChanges } from '../settings-registry.ts';
import type { OwnCommand } from './watched-keys.ts';

const NOT_EVERYWHERE = 'ERR the settings are changed, but not every node that is up has them yet';

export class SettingChange {
  readonly command: OwnCommand;
  /** Writes the answer of a change that was made. */
  readonly done: (out: ReplyWriter) => void;
  readonly #untilMs: number;
  #line = '';

  private constructor(words: string[], untilMs: number, done: (out: ReplyWriter) => void) {
    const bytes = requestOf(words);
    this.done = done;
    this.command = { bytes, slots: [], database: 0 };
    this.#untilMs = untilMs;
  }

  /** Waits until then at the longest. */
  static ofSettings(changes: ClusterChanges, untilMs: number): SettingChange {
    const words = [SETTING_COMMAND, VERSION_ROW, ...changes.flat()];
    return new SettingChange(words, untilMs, (out) => out.simple('OK'));
  }

  /** `version`: of the table that the change was planned with. */
  static ofUsers(
    rows: UserRows,
    version: number,
    untilMs: number,
    done: (out: ReplyWriter) => void,
  ): SettingChange {
    const words = [USERS_COMMAND, VERSION_ROW, String(version), ...rows.flat()];
    return new SettingChange(words, untilMs, done);
  }

  /** Takes the answer of the transaction: one line, in pieces. */
  reply(bytes: Uint8Array): void {
    this.#line += Buffer.from(bytes).toString('latin1');
  }

  /** After the answer: the error line of a change that failed or lasts too long, or OK. */
  outcome(nowMs: number, isHeld: (version: number) => boolean): string | undefined {
    const line = this.#line.trimEnd();
    if (line.startsWith('-')) return line.slice(1);
    if (isHeld(Number(line.slice(1)))) return 'OK';
    return nowMs < this.#untilMs ? undefined : NOT_EVERYWHERE;
  }
}
