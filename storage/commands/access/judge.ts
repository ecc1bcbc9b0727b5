/**
 * Whether a user may run a command with these arguments: some selector must allow the command, all
 * its keys, and all its channels. After `ACLCheckAllUserCommandPerm` of Redis 7 (acl.c). Pure.
 */
import { type Command, keysAmong, type Words } from '../command.ts';
import { keyAccess } from '../key-access.ts';
import type { Selector } from './selector.ts';

/** A command as permissions see it. */
export interface JudgedCommand {
  /** In lower case. */
  readonly label: string;
  /** Of the store; its keys are known. */
  readonly command: Command | undefined;
  /** Keys of a command that the gateway answers itself: looked at, not read or written. */
  readonly keysFrom?: number | undefined;
  /** Where its channels begin: names, or patterns of names. */
  readonly channels?: { readonly from: number; readonly isPattern: boolean; readonly one: boolean };
  /** AUTH and its like: for everyone. */
  readonly isForAll: boolean;
}

type DenialKind = 'command' | 'key' | 'channel';

export interface Denial {
  readonly kind: DenialKind;
  /** The command, key or channel. */
  readonly object: string;
}

const WEIGHT: Readonly<Record<DenialKind, number>> = { command: 0, key: 1, channel: 2 };

/** Its permissions: any selector may allow a command. */
interface Permitted {
  allSelectors(): Iterable<Selector>;
}

/** `undefined`: it may. Of several selectors, the one that comes furthest says why not. */
export function judge(user: Permitted, command: JudgedCommand, args: Words): Denial | undefined {
  let denial: Denial | undefined;
  let denialAt = -1;
  for (const selector of user.allSelectors()) {
    const found = judgeBy(selector, command, args);
    if (found === undefined) return undefined;
    const { at, ...its } = found;
    const weight = WEIGHT[its.kind] - (denial === undefined ? -1 : WEIGHT[denial.kind]);
    if (weight > 0 || (weight === 0 && at > denialAt)) {
      denial = its;
      denialAt = at;
    }
  }
  return denial;
}

function judgeBy(
  selector: Selector,
  judged: JudgedCommand,
  args: Words,
): (Denial & { at: number }) | undefined {
  const { label, command, isForAll, keysFrom, channels } = judged;
  const firstArg = args.count > 1 ? args.text(1) : undefined;
  if (!isForAll && !selector.allowsCommand(label, firstArg)) {
    return { kind: 'command', object: label, at: 0 };
  }
  if (!selector.allKeys) {
    const denied = command === undefined ? undefined : deniedKey(selector, command, args);
    if (denied !== undefined) return denied;
    for (let at = keysFrom ?? args.count; at < args.count; at += 1) {
      const key = args.text(at);
      if (!selector.allowsKey(key, 0)) return { kind: 'key', object: key, at };
    }
  }
  if (channels === undefined || selector.allChannels) return undefined;
  const end = channels.one ? channels.from + 1 : args.count;
  for (let at = channels.from; at < end; at += 1) {
    const name = args.text(at);
    if (!selector.allowsChannel(name, channels.isPattern)) {
      return { kind: 'channel', object: name, at };
    }
  }
  return undefined;
}

function deniedKey(
  selector: Selector,
  command: Command,
  args: Words,
): (Denial & { at: number }) | undefined {
  const { keys } = command;
  if (keys === 'none' || keys === 'whole-store') return undefined;
  let nth = 0;
  for (const at of keysAmong(keys, args)) {
    const key = args.text(at);
    const access = keyAccess(command, args, at, nth);
    nth += 1;
    if (!selector.allowsKey(key, access)) return { kind: 'key', object: key, at };
  }
  return undefined;
}

/**
 * SORT with BY or GET reads keys that only its run finds: refused, with Redis' line, where not all
 * keys may be read.
 */
export function sortRefusal(
  user: Permitted,
  judged: JudgedCommand,
  args: Words,
): string | undefined {
  if (judged.label !== 'sort' && judged.label !== 'sort_ro') return undefined;
  const option = optionOfSort(args);
  if (option === undefined) return undefined;
  for (const selector of user.allSelectors()) {
    if (selector.readsAllKeys && judgeBy(selector, judged, args) === undefined) return undefined;
  }
  return `ERR ${option} option of SORT denied due to insufficient ACL permissions`;
}

/** The first option that makes the run look for keys. */
function optionOfSort(args: Words): 'BY' | 'GET' | undefined {
  for (let at = 2; at < args.count; at += 1) {
    const word = args.text(at).toUpperCase();
    if (word === 'LIMIT') at += 2;
    else if (word === 'STORE') at += 1;
    else if (word === 'GET' && at + 1 < args.count) return 'GET';
    else if (word === 'BY' && at + 1 < args.count) {
      at += 1;
      if (args.text(at).includes('*')) return 'BY';
    }
  }
  return undefined;
}

/** Redis 7.2's line, without its code. */
export function denialText(name: string, { kind, object }: Denial): string {
  switch (kind) {
    case 'command':
      return `User ${name} has no permissions to run the '${object}' command`;
    case 'key':
      return 'No permissions to access a key';
    case 'channel':
      return 'No permissions to access a channel';
  }
}
