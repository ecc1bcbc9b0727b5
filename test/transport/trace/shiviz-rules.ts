/** The rules of ShiViz' parser as assertions about a whole log, and its order of events. */
import { expect } from 'vitest';

export interface Clocked {
  readonly host: string;
  readonly event: string;
  readonly clock: ReadonlyMap<string, number>;
}

/**
 * Every host is in its own clock, begins at 1 and counts without a gap, and no clock knows of what
 * has not happened yet.
 */
export function checkShiviz(text: string): Clocked[] {
  const [pattern = '', delimiter, ...lines] = text.trimEnd().split('\n');
  expect(delimiter).toBe('');
  const shape = new RegExp(`^${pattern}$`);
  const last = new Map<string, number>();
  return lines.map((line) => {
    const { host = '', clock = '', event = '' } = shape.exec(line)?.groups ?? {};
    const counts = new Map(Object.entries(JSON.parse(clock) as Record<string, number>));
    expect(counts.get(host)).toBe((last.get(host) ?? 0) + 1);
    last.set(host, counts.get(host) ?? 0);
    for (const [other, count] of counts) {
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(last.get(other) ?? 0);
    }
    return { host, event, clock: counts };
  });
}

export function happensBefore(a: Clocked, b: Clocked): boolean {
  return a !== b && (a.clock.get(a.host) ?? 0) <= (b.clock.get(a.host) ?? 0);
}
