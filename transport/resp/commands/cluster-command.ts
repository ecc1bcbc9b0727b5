/**
 * CLUSTER shows the nodes and ranges of the topology. A range is shown at one of its members that
 * are up, so that a cluster client reaches one without a hop. But any node takes every key: MOVED
 * is never answered, and `cluster_enabled` stays 0 for other clients. Commands that manage Redis'
 * own cluster are refused, as by a Redis without a cluster.
 */
import { REDIS_SLOTS, redisSlotOf, slotOfText } from '../../../storage/keyspace/slots.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalCommand, LocalContext } from '../routes.ts';
import { type Subcommand, withSubcommands } from './subcommands.ts';

const NO_CLUSTER = 'ERR This instance has cluster support disabled';
/** Commands about Redis' own cluster, with their arity in Redis. */
const REFUSED: Readonly<Record<string, number>> = {
  ADDSLOTS: -3,
  ADDSLOTSRANGE: -4,
  BUMPEPOCH: 2,
  'COUNT-FAILURE-REPORTS': 3,
  DELSLOTS: -3,
  DELSLOTSRANGE: -4,
  FAILOVER: -2,
  FLUSHSLOTS: 2,
  FORGET: 3,
  LINKS: 2,
  MEET: -4,
  MYSHARDID: 2,
  REPLICAS: 3,
  REPLICATE: 3,
  RESET: -2,
  SAVECONFIG: 2,
  'SET-CONFIG-EPOCH': 3,
  SETSLOT: -4,
  SLAVES: 3,
};

function info(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const { epoch, nodes } = context.services.cluster();
  const fields = {
    cluster_enabled: 0,
    cluster_state: 'ok',
    cluster_slots_assigned: REDIS_SLOTS,
    cluster_slots_ok: REDIS_SLOTS,
    cluster_slots_pfail: 0,
    cluster_slots_fail: 0,
    cluster_known_nodes: nodes.length,
    cluster_size: nodes.filter(({ slots: served }) => served.length > 0).length,
    cluster_current_epoch: epoch,
    cluster_my_epoch: epoch,
  };
  out.verbatim(
    Object.entries(fields)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join(''),
  );
}

function slots(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const ranges = context.services
    .cluster()
    .nodes.flatMap((node) => node.slots.map((slots) => ({ node, ...slots })));
  out.array(ranges.length);
  for (const { node, first, last } of ranges) {
    out.array(3);
    out.integer(first);
    out.integer(last);
    out.array(4);
    out.bulk(node.host);
    out.integer(node.port);
    out.bulk(node.id);
    out.array(0);
  }
}

function shards(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const serving = context.services.cluster().nodes.filter((node) => node.slots.length > 0);
  out.array(serving.length);
  for (const node of serving) {
    out.map(2);
    out.bulk('slots');
    out.array(2 * node.slots.length);
    for (const { first, last } of node.slots) {
      out.integer(first);
      out.integer(last);
    }
    out.bulk('nodes');
    out.array(1);
    out.map(7);
    const texts = { id: node.id, ip: node.host, endpoint: node.host, role: 'master' };
    for (const [name, value] of Object.entries(texts)) {
      out.bulk(name);
      out.bulk(value);
    }
    out.bulk('port');
    out.integer(node.port);
    out.bulk('replication-offset');
    out.integer(0);
    out.bulk('health');
    out.bulk('online');
  }
}

function nodes(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const lines = context.services.cluster().nodes.map((node, i) => {
    const flags = `${node.self ? 'myself,' : ''}master${node.online || node.self ? '' : ',fail'}`;
    const link = node.online || node.self ? 'connected' : 'disconnected';
    const served = node.slots.map(({ first, last }) => ` ${first}-${last}`).join('');
    const address = `${node.host}:${node.port}@${node.port}`;
    return `${node.id} ${address} ${flags} - 0 0 ${i + 1} ${link}${served}\n`;
  });
  out.verbatim(lines.join(''));
}

const ADMIN = ['@admin', '@slow', '@dangerous'];

function refuse(_context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  out.error(NO_CLUSTER);
}

function refusals(): Record<string, Subcommand> {
  return Object.fromEntries(
    Object.entries(REFUSED).map(([name, arity]) => [
      name,
      { arity, categories: ADMIN, run: refuse },
    ]),
  );
}

/** Clients of Redis Cluster send it while a slot moves; no slot moves here. */
export const ASKING_COMMAND: LocalCommand = {
  name: 'ASKING',
  arity: 1,
  flags: ['fast'],
  categories: ['@fast', '@connection'],
  group: 'cluster',
  summary: 'Refused: no slot ever moves.',
  since: '3.0.0',
  complexity: 'O(1)',
  run: refuse,
};

export const CLUSTER_COMMAND: LocalCommand = withSubcommands({
  name: 'CLUSTER',
  flags: ['loading', 'stale'],
  categories: ['@slow'],
  group: 'cluster',
  summary: 'A container for cluster commands.',
  since: '3.0.0',
  complexity: 'Depends on subcommand.',
  subcommands: {
    INFO: { arity: 2, run: info },
    MYID: {
      arity: 2,
      run(context, _args, out) {
        const self = context.services.cluster().nodes.find((node) => node.self);
        out.bulk(self?.id ?? '');
      },
    },
    SLOTS: { arity: 2, run: slots },
    SHARDS: { arity: 2, run: shards },
    NODES: { arity: 2, run: nodes },
    KEYSLOT: {
      arity: 3,
      run: (_context, args, out) => out.integer(redisSlotOf(slotOfText(args[2] ?? ''))),
    },
    ...refusals(),
  },
});
