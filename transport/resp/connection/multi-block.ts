/**
 * The commands between MULTI and EXEC of one connection. Store commands are kept as bytes for the
 * unit; the gateway's own as arguments, to be run at EXEC, where their replies take their places in
 * the array. A refused command spoils the block, as in Redis.
 */

import { databaseNumber } from '../../../storage/commands/database-number.ts';
import type { LocalRoute } from '../routes.ts';
import { CommandBatch } from './command-batch.ts';

interface QueuedLocal {
  /** Store commands of the block before it. */
  readonly before: number;
  readonly route: LocalRoute;
  readonly args: readonly string[];
}

export class MultiBlock extends CommandBatch {
  /** EXEC will answer EXECABORT. */
  spoiled = false;
  /** The database of the next command: a SELECT of the block counts from there on. */
  database: number;
  /** A SELECT in it may count or not, or a message is to be published if it has its effect. */
  travelsAlone = false;
  readonly locals: QueuedLocal[] = [];
  /** Its commands, where some client monitors. */
  readonly shown: (readonly string[])[] = [];
  #localBytes = 0;

  constructor(database: number) {
    super();
    this.database = database;
  }

  /** A block has no second run, so it takes all keys at once. */
  protected override addFinder(): void {
    super.addFinder();
    this.wholeStore = true;
  }

  get commands(): number {
    return this.count + this.locals.length;
  }

  get bytes(): number {
    return this.runs.length + this.#localBytes;
  }

  addLocal(route: LocalRoute, args: readonly string[], bytes: number): void {
    const selected = route.name === 'SELECT' ? databaseNumber(args[1] ?? '') : undefined;
    if (typeof selected === 'number') {
      this.database = selected;
      this.travelsAlone = true;
    }
    if (route.local.afterBlock === true) this.travelsAlone = true;
    this.locals.push({ before: this.count, route, args });
    this.#localBytes += bytes;
  }
}
