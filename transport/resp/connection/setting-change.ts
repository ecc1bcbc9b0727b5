/**
 * A CONFIG SET of settings of the cluster that is under way: first the transaction that changes
 * them, then the wait until every node that is up has the change.
 */

import { VERSION_ROW } from '../../../storage/cluster-settings.ts';
import { SETTING_COMMAND } from '../../../storage/commands/setting.ts';
import { requestOf } from '../../../storage/request.ts';
import type { OwnCommand } from './watched-keys.ts';

const NOT_EVERYWHERE = 'ERR the settings are changed, but not every node that is up has them yet';

export class SettingChange {
  readonly command: OwnCommand;
  readonly #untilMs: number;
  #line = '';

  /** Waits until then at the longest. */
  constructor(pairs: readonly (readonly [name: string, value: string])[], untilMs: number) {
    const bytes = requestOf([SETTING_COMMAND, VERSION_ROW, ...pairs.flat()]);
    this.command = { bytes, slots: [], database: 0 };
    this.#untilMs = untilMs;
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
