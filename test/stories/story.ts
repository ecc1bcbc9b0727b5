/**
 * Tells a story: performs the script's commands on a fresh stage and writes what each of them led
 * to beneath it. The language:
 *
 *   cluster nodes=5 electorate=3 [settlement=on]
 *   propose NODE NAME slots=1,2       a write begins; NAME stands for its id from then on
 *   read NODE NAME slots=1
 *   recover NODE NAME                 the node becomes a recoverer of NAME
 *   deliver FROM>TO TYPE [NAME]       all such messages that lie there now; `*` stands for any
 *   drop FROM>TO TYPE [NAME]          the same, lost
 *   duplicate FROM>TO TYPE [NAME]     delivered, and still there
 *   settle [NODE NODE ...]            delivers everything between these nodes (default: all)
 *   tick MS [NODE]                    time passes (for that node's timers only)
 *   crash NODE / restart NODE         what was not synced is lost
 *   down NODE PEER                    the node learns that the link to the peer is gone
 *   disk NODE slow / sync NODE        replies wait until the sync
 *   clock NODE MS                     the wall clock is moved, also back
 *   flush NODE                        the engine takes what has been applied
 *   when NAME                         its t0
 *   show NAME / order / lying         the records of NAME; the order of execution; messages left
 *   log NODE / marks                  what the log holds; fences, and what was settled before when
 */

import { decodeRecord } from '../../actors/accord/local/journal.ts';
import type { AccordMessage } from '../../actors/accord/messages/messages.ts';
import { STATUS_NAMES } from '../../actors/accord/primitives/status.ts';
import { NODE_RECORDS_FROM } from '../../actors/log/clock-limits.ts';
import { ProtocolViolation } from '../actors/accord/protocol-invariants.ts';
import { type Letter, StoryWorld } from './story-world.ts';

const SETTLE_MAX = 5_000;

export function tellStory(text: string): string {
  const told: string[] = [];
  let world: StoryWorld | undefined;
  let broken = false;
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    told.push(line);
    if (line === '' || line.startsWith('#')) continue;
    // The expected part of the file is not read: it is what is told here.
    if (lines[at + 1] === '----') {
      at += 1;
      while (at + 1 < lines.length && lines[at + 1] !== '') at += 1;
    }
    told.push('----');
    if (broken) {
      told.push('(not performed)');
      continue;
    }
    try {
      if (line.startsWith('cluster ')) world = stage(line);
      else if (world === undefined) throw new Error('a story begins with its cluster');
      else perform(world, line.split(' '));
      if (world !== undefined) world.nowMs += 1;
      const events = world?.events ?? [];
      told.push(...(events.length === 0 ? ['ok'] : events));
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      told.push(...(world?.events ?? []), `VIOLATION ${error.message}`);
      broken = true;
    }
    if (world !== undefined) world.events = [];
    if (lines[at + 1] !== '') told.push('');
  }
  return told.join('\n');
}

function stage(line: string): StoryWorld {
  const words = new Map(line.split(' ').map((word) => word.split('=') as [string, string]));
  const nodes = Number(words.get('nodes') ?? 3);
  const electorate = Number(words.get('electorate') ?? nodes);
  return new StoryWorld({ nodes, electorate, durability: words.get('durability') === 'on' });
}

function perform(world: StoryWorld, words: readonly string[]): void {
  const [verb = '', first = '', second = '', third = ''] = words;
  switch (verb) {
    case 'coordinate':
      return world.coordinate(Number(first), second, slotsOf(third));
    case 'read':
      return world.read(Number(first), second, slotsOf(third));
    case 'recover':
      return world.recover(Number(first), world.names.id(second));
    case 'deliver':
      for (const letter of matching(world, words)) {
        remove(world, letter);
        world.deliver(letter);
      }
      return;
    case 'duplicate':
      for (const letter of matching(world, words)) world.deliver(letter);
      return;
    case 'drop':
      for (const letter of matching(world, words)) remove(world, letter);
      return;
    case 'settle':
      return settle(world, words.slice(1).map(Number));
    case 'tick':
      return world.tick(Number(first), second === '' ? undefined : Number(second));
    case 'crash':
      return world.crash(Number(first));
    case 'restart':
      return world.restart(Number(first));
    case 'down':
      return world.peerDown(Number(first), Number(second));
    case 'disk':
      return world.slowDisk(Number(first));
    case 'sync':
      return world.sync(Number(first));
    case 'clock':
      world.node(Number(first)).skewUs += Number(second) * 1_000;
      return;
    case 'flush':
      return world.flush(Number(first));
    case 'when': {
      const { hlc, node } = world.names.id(first);
      world.events.push(`${first} = ${world.names.of({ hlc, flags: 0, node, store: 0 })}`);
      return;
    }
    case 'show':
      return show(world, first);
    case 'order':
      for (const node of world.nodes.values()) {
        const names = node.applied.map(({ id }) => world.names.of(id));
        world.events.push(`${node.id}: ${names.join(' ')}`.trimEnd());
      }
      return;
    case 'log': {
      const { records } = world.node(Number(first));
      const types = records.map(({ type, payload }) =>
        type < NODE_RECORDS_FROM ? decodeRecord(type, payload).type : 'ClockLimit',
      );
      world.events.push(types.join(' '));
      return;
    }
    case 'marks':
      for (const { id, up, replica } of world.nodes.values()) {
        const { rejectBefore, redundantBefore } = replica.view;
        const marks = `rejectBefore=${world.names.mark(rejectBefore)} settled=${world.names.mark(redundantBefore)}`;
        world.events.push(`${id}: ${up ? marks : 'down'}`);
      }
      return;
    case 'lying':
      for (const letter of world.letters) world.events.push(text(world, letter));
      return;
    default:
      throw new Error(`no command ${verb}`);
  }
}

function slotsOf(word: string): number[] {
  return word.replace('slots=', '').split(',').map(Number);
}

function text(world: StoryWorld, letter: Letter): string {
  return world.names.letter(letter as Letter & { message: AccordMessage });
}

function matching(world: StoryWorld, words: readonly string[]): Letter[] {
  const [, link = '', type = '*', name = '*'] = words;
  const [from = '*', to = '*'] = link.split('>');
  const fits = (pattern: string, value: string): boolean => pattern === '*' || pattern === value;
  const found = world.letters.filter((letter) => {
    const { message } = letter;
    const about = 'id' in message ? world.names.of(message.id) : '';
    const between = fits(from, String(letter.from)) && fits(to, String(letter.to));
    return between && fits(type, message.type) && fits(name, about);
  });
  if (found.length === 0) world.events.push(`nothing lies there for: ${words.join(' ')}`);
  return found;
}

function remove(world: StoryWorld, letter: Letter): void {
  world.letters = world.letters.filter((other) => other !== letter);
}

function settle(world: StoryWorld, among: readonly number[]): void {
  const inside = (node: number): boolean => among.length === 0 || among.includes(node);
  for (let steps = 0; steps < SETTLE_MAX; steps += 1) {
    const letter = world.letters.find(({ from, to }) => inside(from) && inside(to));
    if (letter === undefined) return;
    remove(world, letter);
    world.deliver(letter);
  }
  throw new ProtocolViolation('the nodes talk to each other without end');
}

function show(world: StoryWorld, name: string): void {
  const id = world.names.id(name);
  for (const node of world.nodes.values()) {
    const command = node.up ? node.replica.view.find(id) : undefined;
    if (command === undefined) {
      world.events.push(`${node.id}: ${node.up ? 'unknown' : 'down'}`);
      continue;
    }
    const { status, promised, accepted, executeAt, deps } = command;
    const parts = [
      `${node.id}: ${STATUS_NAMES[status]}`,
      `at=${executeAt === undefined ? '-' : world.names.of(executeAt)}`,
      `promised=${world.names.ballot(promised)}`,
      `accepted=${world.names.ballot(accepted)}`,
      ...(deps === undefined ? [] : [`deps=${world.names.deps(deps)}`]),
    ];
    world.events.push(parts.join(' '));
  }
}
