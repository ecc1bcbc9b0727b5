/**
 * Actions of a console at the node that serves it. Each is first tried dry, which says what would
 * happen and which word confirms it; done for real, it needs that word and leaves a line of audit
 * in the log.
 */
import type { Args } from '../../../transport/console/console-protocol.ts';
import { changeOfKey, keyOf, whole } from '../../../transport/console/key-questions.ts';
import type { RedisReply } from '../../../transport/console/redis-reply.ts';
import { escapeUtf8 } from '../../../transport/escape.ts';
import type { TopologyOutcome, TopologyRequest } from '../../../transport/http/topology-report.ts';
import { topologyPlan } from './topology-actions.ts';

interface ActionParts {
  readonly run: (user: string, commands: readonly (readonly string[])[]) => Promise<RedisReply[]>;
  /** The file; undefined: it could not be written. */
  readonly dumpTrace: () => string | undefined;
  readonly changeTopology: (request: TopologyRequest, user: string) => Promise<TopologyOutcome>;
  readonly audit: (user: string, what: string) => void;
}

interface Plan {
  /** A sentence: what it does. */
  readonly what: string;
  /** The word that confirms it. */
  readonly confirm: string;
  readonly perform: () => Promise<unknown> | unknown;
}

export class ConsoleActions {
  readonly #parts: ActionParts;

  constructor(parts: ActionParts) {
    this.#parts = parts;
  }

  /** @throws Error whose message is the reason */
  async act(args: Args, user: string, role = 'operator'): Promise<unknown> {
    const change = topologyPlan(args);
    if (change !== undefined && role !== 'admin') throw new Error('this needs the role of admin');
    const { what, confirm, perform } =
      change === undefined
        ? this.#plan(args, user)
        : { ...change, perform: () => this.#changeTopology(change.request, user) };
    if (args['dryRun'] === true) return { what, confirm };
    if (args['confirm'] !== confirm) throw new Error(`not done: type "${confirm}" to confirm`);
    this.#parts.audit(user, what);
    return { done: what, result: (await perform()) ?? null };
  }

  #plan(args: Args, user: string): Plan {
    const action = String(args['action']);
    if (action === 'trace.dump') {
      const what = 'Write the trace of the last events into the data directory of this node.';
      return { what, confirm: 'dump', perform: () => this.#dump() };
    }
    if (action === 'client.kill') {
      const id = String(args['id']);
      if (!/^\d+$/.test(id)) throw new Error('a client is named by its number');
      const what = `Close the connection of client ${id} of this node.`;
      const command = ['CLIENT', 'KILL', 'ID', id];
      return { what, confirm: id, perform: () => this.#one(user, [command]) };
    }
    return this.#changeOfKey(action, args, user);
  }

  #dump(): string {
    const path = this.#parts.dumpTrace();
    if (path === undefined) throw new Error('the trace could not be written: see Logs');
    return `It is in ${path}.`;
  }

  async #changeTopology(request: TopologyRequest, user: string): Promise<string> {
    const { code, text } = await this.#parts.changeTopology(request, user);
    if (code !== 200) throw new Error(text);
    return 'It is decided.';
  }

  #changeOfKey(action: string, args: Args, user: string): Plan {
    const command = changeOfKey(action, args);
    if (command === undefined) throw new Error(`there is no action "${action}"`);
    const { key, select } = keyOf(args);
    const shown = escapeUtf8(key);
    const [name = '', , ...rest] = command;
    const value = name === 'SET' ? ` (${args['value']?.toString().length ?? 0} bytes)` : '';
    const detail = name === 'PEXPIRE' ? ` ${rest.join(' ')}` : value;
    const what = `${name} ${shown}${detail} in database ${args['database'] ?? 0}, in the whole cluster.`;
    return { what, confirm: shown, perform: () => this.#one(user, [select, command]) };
  }

  async #one(user: string, commands: readonly (readonly string[])[]): Promise<unknown> {
    const replies = await this.#parts.run(user, commands);
    return whole(replies.at(-1));
  }
}
