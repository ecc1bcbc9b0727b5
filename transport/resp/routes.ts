/**
 * Which way a command goes: to the store, or to one of the gateway's own. One table per gateway,
 * shared by its connections, that also counts the calls by name. Names come from two fixed tables,
 * so that nothing here grows with what clients send.
 */
import type { Arguments } from '../../storage/arguments.ts';
import type { Command } from '../../storage/command.ts';
import type { LocalCommand } from './local-command.ts';

export const KEYS_NONE = 0;
export const KEYS_ONE = 1;
export const KEYS_LISTED = 2;
export const KEYS_WHOLE_STORE = 3;
type KeyShape = typeof KEYS_NONE | typeof KEYS_ONE | typeof KEYS_LISTED | typeof KEYS_WHOLE_STORE;

/** Longer names are not looked up: no command has one. */
const NAME_BYTES_MAX = 32;

interface RouteBase {
  readonly name: string;
  /** The name in lower case, as INFO and CLIENT LIST show it. */
  readonly label: string;
  readonly arity: number;
  calls: number;
  /** Calls refused for their number of arguments. */
  rejected: number;
}

export interface StoreRoute extends RouteBase {
  readonly command: Command;
  readonly local: undefined;
  readonly keys: KeyShape;
  readonly firstKey: number;
  readonly writes: boolean;
  /** SCAN: reads many keys, but promises no single moment for them. */
  readonly walksKeys: boolean;
}

export interface LocalRoute extends RouteBase {
  readonly command: undefined;
  readonly local: LocalCommand;
}

export type Route = StoreRoute | LocalRoute;

export class Routes {
  readonly #routes = new Map<string, Route>();

  /** Where both tables have a name, the gateway's own wins unless it is a mere refusal. */
  constructor(store: Iterable<Command>, local: Iterable<LocalCommand>) {
    for (const command of store) this.#routes.set(command.name, storeRoute(command));
    for (const command of local) {
      if (command.fallback === true && this.#routes.has(command.name)) continue;
      const { name, arity } = command;
      const counts = { calls: 0, rejected: 0 };
      const label = name.toLowerCase();
      this.#routes.set(name, { name, label, arity, ...counts, command: undefined, local: command });
    }
  }

  find(args: Arguments): Route | undefined {
    return args.bytes(0) > NAME_BYTES_MAX ? undefined : this.#routes.get(args.name);
  }

  /** `name` in upper case. */
  named(name: string): Route | undefined {
    return this.#routes.get(name);
  }

  all(): IterableIterator<Route> {
    return this.#routes.values();
  }

  get size(): number {
    return this.#routes.size;
  }

  resetCounters(): void {
    for (const route of this.#routes.values()) {
      route.calls = 0;
      route.rejected = 0;
    }
  }
}

export function fitsArity(arity: number, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

function storeRoute(command: Command): StoreRoute {
  const { name, arity, keys } = command;
  return {
    name,
    label: name.toLowerCase(),
    arity,
    calls: 0,
    rejected: 0,
    command,
    local: undefined,
    keys: shapeOf(keys),
    firstKey: typeof keys === 'string' ? 0 : keys.first,
    writes: command.kind === 'write',
    walksKeys: name === 'SCAN',
  };
}

function shapeOf(keys: Command['keys']): KeyShape {
  if (keys === 'none') return KEYS_NONE;
  if (keys === 'whole-store') return KEYS_WHOLE_STORE;
  return keys.first === keys.last ? KEYS_ONE : KEYS_LISTED;
}
