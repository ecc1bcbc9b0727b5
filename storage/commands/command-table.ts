/**
 * Every command that the state machine executes, by name. The gateway uses it for COMMAND and to
 * find the keys of a command; connection commands (PING, AUTH) are the gateway's own.
 */
import { type Arguments, upperCase } from '../arguments.ts';
import { CLUSTER_KEY_COMMANDS } from './cluster-keys.ts';
import { type Command, printable, SHOWN_CHARACTERS_MAX } from './command.ts';
import { COUNTER_COMMANDS } from './counters.ts';
import { EXPIRY_COMMANDS } from './expiry.ts';
import { HASH_COMMANDS } from './hashes.ts';
import { INTROSPECTION_COMMANDS } from './introspection.ts';
import { KEY_COMMANDS } from './keys.ts';
import { LCS } from './lcs.ts';
import { LIST_END_COMMANDS } from './list/ends.ts';
import { LIST_PLACE_COMMANDS } from './list/places.ts';
import { LIST_WAIT_COMMANDS } from './list/waits.ts';
import { FUNCTION_COMMANDS } from './script/function-commands.ts';
import { scriptCommands, travellingScripts } from './script/script-commands.ts';
import { ScriptCommands } from './script/script-run.ts';
import { STORED_SCRIPT_COMMANDS } from './script/stored-script-commands.ts';
import { SET_ALGEBRA_COMMANDS } from './set-algebra.ts';
import { SET_COMMANDS } from './sets.ts';
import { SETTING_COMMANDS } from './setting.ts';
import { SORT_COMMANDS } from './sort.ts';
import { STREAM_CLAIM_COMMANDS } from './stream/claims.ts';
import { STREAM_ENTRY_COMMANDS } from './stream/entries.ts';
import { STREAM_GROUP_READ_COMMANDS } from './stream/group-read.ts';
import { STREAM_GROUP_COMMANDS } from './stream/groups.ts';
import { STREAM_INFO_COMMANDS } from './stream/info.ts';
import { STREAM_PENDING_COMMANDS } from './stream/pending.ts';
import { STREAM_READ_COMMANDS } from './stream/read.ts';
import { STRING_PART_COMMANDS } from './string-parts.ts';
import { STRING_COMMANDS } from './strings.ts';
import { TOPOLOGY_COMMANDS } from './topology-change.ts';
import { USERS_COMMANDS } from './users.ts';
import { WATCH_COMMANDS } from './watched.ts';
import { TOLD_KEYS, WHOLE_STORE_COMMANDS } from './whole-store.ts';
import { ZSET_COMBINE_COMMANDS } from './zset/combine.ts';
import { ZSET_MEMBER_COMMANDS } from './zset/members.ts';
import { ZSET_POP_COMMANDS } from './zset/pops.ts';
import { ZSET_RANGE_COMMANDS } from './zset/ranges.ts';
import { ZSET_WAIT_COMMANDS } from './zset/waits.ts';
import { ZSET_WALK_COMMANDS } from './zset/walks.ts';

/** Those that scripts call. */
const CALLED = new ScriptCommands(
  (args) => commandFor(args),
  () => COMMANDS,
);

/** Every one that a client may send. */
export const COMMANDS: readonly Command[] = [
  ...STRING_COMMANDS,
  ...STRING_PART_COMMANDS,
  ...COUNTER_COMMANDS,
  LCS,
  ...HASH_COMMANDS,
  ...SET_COMMANDS,
  ...SET_ALGEBRA_COMMANDS,
  ...LIST_END_COMMANDS,
  ...LIST_PLACE_COMMANDS,
  ...LIST_WAIT_COMMANDS,
  ...ZSET_MEMBER_COMMANDS,
  ...ZSET_RANGE_COMMANDS,
  ...ZSET_POP_COMMANDS,
  ...ZSET_WAIT_COMMANDS,
  ...ZSET_COMBINE_COMMANDS,
  ...ZSET_WALK_COMMANDS,
  ...STREAM_ENTRY_COMMANDS,
  ...STREAM_READ_COMMANDS,
  ...STREAM_GROUP_COMMANDS,
  ...STREAM_GROUP_READ_COMMANDS,
  ...STREAM_PENDING_COMMANDS,
  ...STREAM_CLAIM_COMMANDS,
  ...STREAM_INFO_COMMANDS,
  ...SORT_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...INTROSPECTION_COMMANDS,
  ...WHOLE_STORE_COMMANDS,
  ...CLUSTER_KEY_COMMANDS,
  ...STORED_SCRIPT_COMMANDS,
  ...FUNCTION_COMMANDS,
  ...scriptCommands(CALLED),
];

const byName = new Map(
  [
    ...COMMANDS,
    ...travellingScripts(CALLED),
    ...WATCH_COMMANDS,
    ...SETTING_COMMANDS,
    ...USERS_COMMANDS,
    ...TOPOLOGY_COMMANDS,
    TOLD_KEYS,
  ].map((command) => [command.name, command]),
);

/** The command found last: most pipelines repeat one, and a Map costs 25 ns each time. */
let recent: Command | undefined;

/** The command named by the first argument or the first two. */
export function commandFor(args: Arguments): Command | undefined {
  const { name } = args;
  if (recent?.name === name) return recent;
  const command = byName.get(name);
  if (command === undefined) return subcommandFor(args);
  recent = command;
  return command;
}

function subcommandFor(args: Arguments): Command | undefined {
  if (args.count === 1 || args.bytes(0) + args.bytes(1) > NAME_BYTES_MAX) return undefined;
  return byName.get(`${args.name}|${upperCase(args.text(1))}`);
}

/** Longest name of a command with its subcommand; longer ones are not looked up. */
export const NAME_BYTES_MAX = 32;

/** The error line for arguments that name no command. */
export function unknownCommandError(args: Arguments): string {
  let shown = '';
  for (let i = 1; i < args.count && shown.length < SHOWN_CHARACTERS_MAX; i += 1) {
    shown += `'${printable(args.text(i), SHOWN_CHARACTERS_MAX - shown.length)}' `;
  }
  const name = printable(args.text(0));
  return `ERR unknown command '${name}', with args beginning with: ${shown}`;
}
