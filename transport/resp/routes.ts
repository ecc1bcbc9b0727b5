/**
 * Routes a command to the store or to the gateway. One table per gateway, shared by its
 * connections; it also counts the calls by name. Names come from two fixed tables, so that client
 * input cannot make it grow.
 */

import { type Arguments, upperCase } from '../../storage/arguments.ts';
import type { JudgedCommand } from '../../storage/commands/access/judge.ts';
import { type Command, hasOneKey, printable } from '../../storage/commands/command.ts';
import { NAME_BYTES_MAX, unknownCommandError } from '../../storage/commands/command-table.ts';
import type { AccessControl } from '../access/access-control.ts';
import type { UserRows } from '../access/acl/user-table.ts';
import { HdrHistogram } from '../hdr-histogram.ts';
import type { ReplyWriter } from './codec/encoder.ts';
import type { ClientDirectory } from './connection/client-state.ts';
import type { GatewayCounters } from './counters.ts';
import type { GatewayServices } from './gateway-services.ts';
import type { CommandInsight } from './insight/insight.ts';
import type { GatewayLimits } from './limits.ts';
import type { PubSub } from './pubsub/pubsub.ts';
import type { Subscriber } from './pubsub/subscriptions.ts';
import type { ClusterChanges } from './settings-registry.ts';
import type { ClientTracking } from './tracking/client-tracking.ts';
import type { TrackingOptions } from './tracking/tracking-options.ts';

/** Redis' text for a command that a transaction cannot contain. */
export const NOT_IN_MULTI = 'ERR Command not allowed inside a transaction';

/** A command that the gateway answers itself. It never reaches the store. */
export interface LocalCommand {
  /** In upper case; a subcommand as `CLIENT|LIST`. */
  readonly name: string;
  /** Number of arguments including the name; negative: a minimum. */
  readonly arity: number;
  readonly flags: readonly string[];
  readonly categories: readonly string[];
  readonly group: string;
  readonly summary: string;
  readonly since: string;
  readonly complexity: string;
  /** Runs only when all commands before it are answered: it changes or reports the reply format. */
  readonly afterAll?: boolean;
  /** Inside a MULTI block it runs when those before it have had their effects, if they have any. */
  readonly afterBlock?: boolean;
  /** Its arguments are shown nowhere: passwords may be among them. */
  readonly isSecret?: boolean;
  /** Its keys begin here; it only looks whether and how they are there. */
  readonly keysFrom?: number;
  /** Its channels begin here: one or all that follow, names or patterns of names. */
  readonly channels?: JudgedCommand['channels'];
  /** Runs at once inside a MULTI block instead of being queued. */
  readonly immediate?: boolean;
  /** Subcommands of a command like CLIENT. The store may have further ones (OBJECT ENCODING). */
  readonly subcommands?: readonly LocalCommand[];
  /** Writes one whole reply, or none. `args[0]` is the name as the client sent it. */
  run(context: LocalContext, args: readonly string[], out: ReplyWriter): void;
}

/** Everything that a command of the gateway may use. */
export interface LocalContext extends Subscriber {
  readonly services: GatewayServices;
  readonly clients: ClientDirectory;
  readonly routes: Routes;
  readonly counters: GatewayCounters;
  readonly insight: CommandInsight;
  readonly access: AccessControl;
  readonly limits: Readonly<GatewayLimits>;
  readonly pubsub: PubSub;
  /** The command runs as part of a MULTI block, at EXEC. */
  readonly inExec: boolean;
  /** A MULTI block is open. */
  readonly inMulti: boolean;
  /** `false` when a block is open already. */
  beginMulti(): boolean;
  /** `false` without an open block. */
  discardMulti(): boolean;
  /** Watches the keys; writes to `out` only what needs no store. */
  watch(keys: readonly string[], out: ReplyWriter): void;
  unwatch(): void;
  /** Changes settings of the cluster; the answer comes when every node that is up has them. */
  changeCluster(changes: ClusterChanges): void;
  /** The same for users; `done` writes the answer. */
  changeUsers(rows: UserRows, done: (out: ReplyWriter) => void): void;
  /** `false`: refused; the answer is held back for a while where this has happened before. */
  login(name: string, password: string): boolean;
  /** Whether somebody has logged in, or need not. */
  readonly isLoggedIn: boolean;
  /** The user is that of a new connection. */
  logout(): void;
  /** The keys that the client has asked to hear of; undefined: none. */
  readonly tracking: ClientTracking | undefined;
  /** It asks for this from now on. */
  track(options: TrackingOptions | undefined): void;
  /** The client sees the commands of others, or no longer. */
  monitor(isOn: boolean): void;
  /** Commands of all clients of the node wait so long: all, or those that write. */
  pauseClients(ms: number, isForAll: boolean): void;
  unpauseClients(): void;
  /** Answers the open block; writes to `out` only what needs no store. */
  exec(out: ReplyWriter): void;
  /** Stops reading requests, and closes when everything up to here is answered. */
  closeAfterReplies(): void;
}

export const KEYS_NONE = 0;
export const KEYS_ONE = 1;
export const KEYS_LISTED = 2;
const KEYS_WHOLE_STORE = 3;
type KeyShape = typeof KEYS_NONE | typeof KEYS_ONE | typeof KEYS_LISTED | typeof KEYS_WHOLE_STORE;

interface RouteBase {
  readonly name: string;
  /** The name in lower case, as INFO and CLIENT LIST show it. */
  readonly label: string;
  readonly arity: number;
  /** The command as permissions see it. */
  readonly judged: JudgedCommand;
  /** Subcommands of a command like CLIENT, by name. */
  readonly subroutes: Map<string, Route> | undefined;
  calls: number;
  /** Calls refused for their number of arguments. */
  rejected: number;
  /** Calls that were answered with an error. */
  failed: number;
  /**
   * Microseconds. A command of the gateway: its run time. A command of the store: an equal share of
   * the time from submitting its unit to the replies.
   */
  usec: number;
  /**
   * Microseconds of each call. A command of the store: from submitting its unit to the replies,
   * also where others were in the unit.
   */
  latency: HdrHistogram | undefined;
}

export interface StoreRoute extends RouteBase {
  readonly command: Command;
  readonly local: undefined;
  readonly keys: KeyShape;
  readonly firstKey: number;
  readonly writes: boolean;
  /** It may be refused for want of memory. */
  readonly grows: boolean;
  /** SCAN: reads many keys, but promises no single moment for them. */
  readonly walksKeys: boolean;
  /** Outside of a MULTI block its client may wait where it finds nothing. */
  readonly waits: boolean;
  /** KEYS: outside of a MULTI block a unit by itself, whose answer may take long. */
  readonly listsKeys: boolean;
}

export interface LocalRoute extends RouteBase {
  readonly command: undefined;
  readonly local: LocalCommand;
}

export type Route = StoreRoute | LocalRoute;

export class Routes {
  /** Whether latencies are recorded: the setting `latency-tracking`. */
  tracksLatency = true;
  readonly #routes = new Map<string, Route>();
  /** The route found last: most pipelines repeat one command. */
  #recent: Route | undefined;

  /** If both tables have a name, the gateway's command wins. */
  constructor(store: Iterable<Command>, local: Iterable<LocalCommand>) {
    for (const command of local) this.#addLocal(command);
    for (const command of store) {
      if (this.named(command.name) === undefined) this.#add(storeRoute(command));
    }
  }

  /** For a command with subcommands (CLIENT): the named one, or the command itself. */
  find(args: Arguments): Route | undefined {
    if (args.bytes(0) > NAME_BYTES_MAX) return undefined;
    const { name } = args;
    if (this.#recent?.name !== name) this.#recent = this.#routes.get(name);
    const route = this.#recent;
    if (route?.subroutes === undefined || args.count === 1) return route;
    return args.bytes(1) > NAME_BYTES_MAX
      ? undefined
      : route.subroutes.get(upperCase(args.text(1)));
  }

  /** The error line when `find` found nothing. */
  unknown(args: Arguments): string {
    const container = args.bytes(0) > NAME_BYTES_MAX ? undefined : this.#routes.get(args.name);
    if (container === undefined) return unknownCommandError(args);
    const word = printable(args.text(1));
    return `ERR unknown subcommand '${word}'. Try ${container.name} HELP.`;
  }

  /** `name` in upper case; a subcommand as `CLIENT|LIST`. */
  named(name: string): Route | undefined {
    const bar = name.indexOf('|');
    if (bar === -1) return this.#routes.get(name);
    return this.#routes.get(name.slice(0, bar))?.subroutes?.get(name.slice(bar + 1));
  }

  /** The route that `find` would give for these words. */
  ofWords(words: readonly string[]): Route | undefined {
    const route = this.#routes.get(upperCase(words[0] ?? ''));
    if (route?.subroutes === undefined || words.length === 1) return route;
    return route.subroutes.get(upperCase(words[1] ?? ''));
  }

  all(): IterableIterator<Route> {
    return this.#routes.values();
  }

  /** Subcommands too, each behind its command. */
  *withSubcommands(): Generator<Route> {
    for (const route of this.#routes.values()) {
      yield route;
      if (route.subroutes !== undefined) yield* route.subroutes.values();
    }
  }

  /** Without subcommands. */
  get size(): number {
    return this.#routes.size;
  }

  /** `calls` of the route took so long each. */
  latency(route: Route, usec: number, calls = 1): void {
    if (!this.tracksLatency) return;
    route.latency ??= new HdrHistogram();
    route.latency.record(usec, calls);
  }

  resetCounters(): void {
    for (const route of this.withSubcommands()) Object.assign(route, newCounts());
  }

  #addLocal(command: LocalCommand): void {
    const { name, arity, subcommands, keysFrom, channels } = command;
    const label = name.toLowerCase();
    this.#add({
      name,
      label,
      arity,
      judged: {
        label,
        command: undefined,
        isForAll: command.flags.includes('no_auth'),
        keysFrom,
        ...(channels === undefined ? {} : { channels }),
      },
      subroutes: subcommands === undefined ? undefined : new Map(),
      ...newCounts(),
      command: undefined,
      local: command,
    });
    for (const subcommand of subcommands ?? []) this.#addLocal(subcommand);
  }

  #add(route: Route): void {
    const [name = '', subcommand] = route.name.split('|');
    if (subcommand === undefined) this.#routes.set(name, route);
    else this.#routes.get(name)?.subroutes?.set(subcommand, route);
  }
}

function newCounts() {
  return { calls: 0, rejected: 0, failed: 0, usec: 0, latency: undefined };
}

export function storeRoute(command: Command): StoreRoute {
  const { name, arity, keys } = command;
  const label = name.toLowerCase();
  return {
    name,
    label,
    arity,
    judged: { label, command, isForAll: false },
    subroutes: undefined,
    ...newCounts(),
    command,
    local: undefined,
    keys: shapeOf(keys),
    firstKey: hasOneKey(keys) ? keys.first : 0,
    writes: command.kind === 'write',
    grows: command.flags.includes('denyoom'),
    walksKeys: name === 'SCAN',
    waits: command.waits !== undefined,
    listsKeys: name === 'KEYS',
  };
}

function shapeOf(keys: Command['keys']): KeyShape {
  if (keys === 'none') return KEYS_NONE;
  if (keys === 'whole-store') return KEYS_WHOLE_STORE;
  return hasOneKey(keys) ? KEYS_ONE : KEYS_LISTED;
}
