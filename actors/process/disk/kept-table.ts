/**
 * The cluster's table as a node last had it that does not order its changes, in a file of its data
 * directory: where the others are, and what they have agreed on. Written soon after each change; an
 * older one does no harm, since the node serves nobody by it before a majority has told of newer
 * ones.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ClusterSettings } from '../../../storage/cluster-settings.ts';
import { metaStateOf } from '../../meta/meta-rows.ts';
import type { Topology } from '../../meta/topology.ts';
import { nodeMessageOf, tableMessage, tableOf } from '../../node/node-messages.ts';
import { replaceFile } from './replace-file.ts';

const TABLE = 'table.json';
/** Changes that come within this time are written once. */
const WRITE_MS = 200;

export class KeptTable {
  readonly #path: string;
  readonly #logger: Logger;
  #table: ClusterSettings | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string, logger: Logger) {
    this.#path = join(directory, TABLE);
    this.#logger = logger;
    this.#table = readTable(this.#path);
  }

  /** Undefined before there was one. */
  get table(): ClusterSettings | undefined {
    return this.#table;
  }

  get topology(): Topology | undefined {
    const { values } = this.#table ?? {};
    return values === undefined ? undefined : metaStateOf((name) => values.get(name))?.topology;
  }

  keep(table: ClusterSettings): void {
    this.#table = table;
    this.#timer ??= setTimeout(() => this.write(), WRITE_MS);
  }

  /** The last one is on the disk when this returns. */
  write(): void {
    if (this.#timer === undefined || this.#table === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      replaceFile(this.#path, JSON.stringify(tableMessage(this.#table)));
    } catch (error) {
      const { message } = error as Error;
      this.#logger.warn({ reason: message }, `the cluster's table could not be kept: ${message}`);
    }
  }
}

function readTable(path: string): ClusterSettings | undefined {
  try {
    const message = nodeMessageOf(JSON.parse(readFileSync(path, 'utf8')) as object);
    return message?.type === 'Table' ? tableOf(message) : undefined;
  } catch {
    // It is asked for again.
    return undefined;
  }
}
