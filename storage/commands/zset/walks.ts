/** ZRANDMEMBER and ZSCAN. */
import { forEachInSteps } from '../../steps.ts';
import { scoreText } from '../../types/scores.ts';
import { SortedSet, ZSET } from '../../types/sorted-set.ts';
import { OUT_OF_RANGE, parsePicks, pickIndices, scanCollection } from '../collections.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { findRanked, rankedOf } from './values.ts';

const READ = { group: 'sorted-set', keys: ONE_KEY, flags: 'readonly' } as const;

/** Redis doubles the count. */
const WITH_SCORES_MAX = 2 ** 62;

const zrandmember = command({
  ...READ,
  name: 'ZRANDMEMBER',
  arity: -2,
  summary: 'Get one or multiple random elements from a sorted set',
  since: '6.2.0',
  complexity: 'O(M*log(N)) where M is the number of members returned.',
  *run(keyspace, args, out) {
    if (args.count === 2) {
      const set = findRanked(keyspace, args, 1);
      if (set === undefined) return out.nil();
      return out.bulk(set.memberAt(keyspace.random().below(set.size)));
    }
    const count = parsePicks(args, 2);
    if (typeof count === 'string') return out.error(count);
    const withScores = args.count > 3;
    if (args.count > 4 || (withScores && !args.is(3, 'WITHSCORES'))) return out.error(SYNTAX_ERROR);
    if (withScores && count > WITH_SCORES_MAX) return out.error(OUT_OF_RANGE);
    const set = findRanked(keyspace, args, 1);
    if (set === undefined || count === 0) return out.array(0);
    const places = yield* pickIndices(keyspace, set.size, count);
    if (withScores) out.pairs(places.length);
    else out.array(places.length);
    yield* forEachInSteps(places, keyspace.stepElements, (place) => {
      const member = set.memberAt(place);
      if (withScores) out.pair();
      out.bulk(member);
      if (withScores) out.double(set.scoreOf(member) as number);
    });
  },
});

const zscan = command({
  ...READ,
  name: 'ZSCAN',
  arity: -3,
  summary: 'Incrementally iterate sorted sets elements and associated scores',
  since: '2.8.0',
  complexity: 'O(1) for every call. O(N) for a complete iteration.',
  run(keyspace, args, out) {
    scanCollection(args, out, true, () => {
      const value = keyspace.findCollection(ZSET, args, 1)?.entry.value;
      if (value === undefined) return undefined;
      return (from, limit, visit) => {
        const visitText = (member: string, score: number) => visit(member, scoreText(score));
        if (value instanceof SortedSet) return value.page(from, limit, visitText);
        const set = rankedOf(value);
        set.ascend(0, set.size, visitText);
        return 0;
      };
    });
  },
});

export const ZSET_WALK_COMMANDS: readonly Command[] = [zrandmember, zscan];
