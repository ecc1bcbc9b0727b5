/**
 * Bodies of scripts that clients of this node have sent with EVAL, so that EVALSHA finds them here
 * as in Redis: it then travels as EVAL. They are one-off: the oldest go when there are too many.
 * Loaded scripts are in the cluster's table, and known everywhere.
 */
import { Arguments } from '../../../storage/arguments.ts';
import { sha1Of } from '../../../storage/commands/script/sha1.ts';
import { FLUSHES_ROW, scriptRow } from '../../../storage/commands/script/stored-scripts.ts';
import { requestOf } from '../../../storage/request.ts';

const BYTES_MAX = 8 * 1024 * 1024;

type Settings = () => ReadonlyMap<string, string>;

export class ScriptCache {
  readonly #bodies = new Map<string, string>();
  readonly #settings: Settings;
  readonly #bytesMax: number;
  #bytes = 0;
  #flushes: string | undefined;

  /** `settings`: what this node knows of the cluster's table. */
  constructor(settings: Settings, bytesMax = BYTES_MAX) {
    this.#settings = settings;
    this.#bytesMax = bytesMax;
  }

  /** A request for a script: EVAL is noted; returns what EVALSHA is to travel as, if it differs. */
  taken(args: Arguments): { args: Arguments; bytes: Buffer } | undefined {
    const { name } = args;
    if (name === 'EVAL' || name === 'EVAL_RO') this.#note(args.text(1));
    const isByHash = name === 'EVALSHA' || name === 'EVALSHA_RO';
    const body = isByHash ? this.#find(args.text(1).toLowerCase()) : undefined;
    if (body === undefined) return undefined;
    const words = Array.from({ length: args.count }, (_, i) => args.text(i));
    words[0] = name.replace('SHA', '');
    words[1] = body;
    const bytes = requestOf(words);
    const own = new Arguments();
    own.next(bytes, 0);
    return { args: own, bytes };
  }

  #note(body: string): void {
    this.#forgetFlushed();
    if (body.length > this.#bytesMax) return;
    const hash = sha1Of(body);
    // The one that was used last is the last to go.
    if (this.#bodies.delete(hash)) this.#bytes -= body.length;
    this.#bodies.set(hash, body);
    this.#bytes += body.length;
    for (const [oldest, its] of this.#bodies) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#bodies.delete(oldest);
      this.#bytes -= its.length;
    }
  }

  #find(hash: string): string | undefined {
    this.#forgetFlushed();
    return this.#settings().has(scriptRow(hash)) ? undefined : this.#bodies.get(hash);
  }

  /** SCRIPT FLUSH, at whatever node, is for these scripts too. */
  #forgetFlushed(): void {
    const flushes = this.#settings().get(FLUSHES_ROW);
    if (flushes === this.#flushes) return;
    this.#flushes = flushes;
    this.#bodies.clear();
    this.#bytes = 0;
  }
}
