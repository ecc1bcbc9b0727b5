/**
 * How the stories speak of timestamps and messages: a transaction by its letter, a ballot by the
 * order in which the story met it, any other time by its microseconds since the story began.
 */

import type { AccordMessage } from '../../actors/accord/messages/messages.ts';
import { decodeDeps } from '../../actors/accord/primitives/deps.ts';
import { STATUS_NAMES } from '../../actors/accord/primitives/status.ts';
import {
  isRejected,
  keyOf,
  type Timestamp,
  type TxnId,
} from '../../actors/accord/primitives/timestamp.ts';

const START_US = 1_700_000_001_000_000;

export class Names {
  readonly #names = new Map<string, string>();
  readonly #transactions = new Map<string, TxnId>();
  readonly #ballots = new Map<string, string>();

  transaction(name: string, id: TxnId): void {
    this.#transactions.set(name, id);
    this.#names.set(keyOf(id), name);
  }

  id(name: string): TxnId {
    const id = this.#transactions.get(name);
    if (id === undefined) throw new Error(`there is no transaction ${name}`);
    return id;
  }

  of(time: Timestamp): string {
    const refused = isRejected(time) ? '!' : '';
    const name = this.#names.get(keyOf(time)) ?? `${time.hlc - START_US}@${time.node}`;
    return `${name}${refused}`;
  }

  /** A fence, or a mark; 0 while there is none. */
  mark(time: Timestamp): string {
    return time.hlc === 0 ? '0' : this.of(time);
  }

  ballot(ballot: Timestamp): string {
    if (ballot.hlc === 0) return '0';
    const key = keyOf(ballot);
    const known = this.#ballots.get(key);
    if (known !== undefined) return known;
    const name = `b${this.#ballots.size + 1}@${ballot.node}`;
    this.#ballots.set(key, name);
    return name;
  }

  deps(deps: Iterable<TxnId>): string {
    return `{${[...deps].map((id) => this.of(id)).join(' ')}}`;
  }

  letter(letter: { from: number; to: number; message: AccordMessage }): string {
    const { from, to, message } = letter;
    return [`${from}>${to} ${message.type}`, ...this.#details(message)].join(' ');
  }

  #details(message: AccordMessage): string[] {
    const ids = (bytes: Uint8Array): string => this.deps(decodeDeps(bytes));
    const name = 'id' in message ? this.of(message.id) : '';
    const b = 'ballot' in message ? this.ballot(message.ballot) : '';
    switch (message.type) {
      case 'PreAccept':
        return [name, `deps=${ids(message.deps)}`];
      case 'PreAcceptOk': {
        const deps = message.deps === null ? 'same' : ids(message.deps);
        return [name, `vote=${this.of(message.vote)}`, `deps=${deps}`];
      }
      case 'Accept':
      case 'Commit':
        return [name, b, `at=${this.of(message.executeAt)}`, `deps=${ids(message.deps)}`];
      case 'AcceptOk':
        return [name, b, `deps=${ids(message.deps)}`];
      case 'Stable':
        return [name, `at=${this.of(message.executeAt)}`, `deps=${ids(message.deps)}`];
      case 'Nack':
        return [name, b, `${message.round}: ${message.reason}`];
      case 'RecoverOk': {
        const { status, accepted, executeAt, votedFast, rejectsFastPath } = message;
        const wait = ids(message.wait);
        const noWait = ids(message.noWait);
        return [
          name,
          b,
          STATUS_NAMES[status],
          `accepted=${this.ballot(accepted)}`,
          `at=${executeAt === null ? '-' : this.of(executeAt)}`,
          ...(votedFast ? ['voted-t0'] : []),
          ...(rejectsFastPath ? ['rejects'] : []),
          ...(wait === '{}' ? [] : [`wait=${wait}`]),
          ...(noWait === '{}' ? [] : [`no-wait=${noWait}`]),
        ];
      }
      case 'StatusReply':
        return [name, STATUS_NAMES[message.status]];
      case 'ReadBarrierOk':
        return [ids(message.ids), ...(message.behind ? ['behind'] : [])];
      case 'RejectBefore':
        return [`before=${this.of(message.before)}`];
      case 'RejectBeforeOk':
      case 'AppliedList':
        return [`before=${this.of(message.before)}`, ids(message.ids)];
      case 'AppliedHint':
        return [`before=${this.mark(message.redundantBefore)}`, ids(message.ids)];
      case 'CatchUp':
        return [`from=${this.mark(message.from)}`];
      case 'Fetch':
        return [ids(message.ids)];
      default:
        return [name, b].filter((part) => part !== '');
    }
  }
}
