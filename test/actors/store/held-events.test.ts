/** Keyspace events wait for the log, in their order, and within a limit. */
import { expect, test } from 'vitest';
import { HeldEvents, type ToldEvents } from '../../../actors/store/held-events.ts';

const GROUP = { range: 1, generation: 1 };

function eventsOf(...names: string[]): ToldEvents {
  const events = names.map((event) => ({
    channel: event,
    payload: '',
    isEverywhere: false,
  }));
  return { group: GROUP, events };
}

function held(max?: number): { events: HeldEvents; told: string[]; asked: () => number } {
  const told: string[] = [];
  let asks = 0;
  const events = new HeldEvents({
    max,
    awaitLog: () => {
      asks += 1;
    },
    leave: (each) => told.push(...each.events.map(({ channel }) => channel)),
  });
  return { events, told, asked: () => asks };
}

test('events leave when the log holds their executions, and ask once for many', () => {
  const { events, told, asked } = held();
  events.add(eventsOf('a'));
  events.add(eventsOf('b'));
  events.add(eventsOf('c'));
  expect([asked(), told]).toEqual([1, []]);
  events.durable();
  expect([asked(), told]).toEqual([2, ['a']]);
  events.durable();
  expect([asked(), told, events.count]).toEqual([2, ['a', 'b', 'c'], 0]);
});

test('at the limit further events are lost, and later ones are told again', () => {
  const { events, told } = held(2);
  events.add(eventsOf('a', 'b'));
  events.add(eventsOf('lost'));
  events.durable();
  events.add(eventsOf('c'));
  events.durable();
  expect(told).toEqual(['a', 'b', 'c']);
});
