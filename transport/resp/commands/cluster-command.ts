/**
 * CLUSTER as a façade: every node takes every key, so the slots of Redis Cluster are dealt out
 * evenly to the nodes that are online, and whatever node a cluster client picks is right. No
 * MOVED, no CROSSSLOT is ever answered, and `cluster_enabled` stays 0 for all others.
 */
import type { ReplyWriter } from '../encoder.ts';
import type { ClusterNode, LocalCommand, LocalContext } from '../local-command.ts';
import { withSubcommands } from './subcommands.ts';

const SLOTS = 16_384;

interface SlotRange {
  readonly node: ClusterNode;
  readonly first: number;
  readonly last: number;
}

/** Every slot to exactly one node that is online; to this one where none is said to be. */
export function dealSlots(nodes: readonly ClusterNode[]): SlotRange[] {
  const online = nodes.filter((node) => node.online || node.self);
  return online.map((node, i) => ({
    node,
    first: Math.floor((i * SLOTS) / online.length),
    last: Math.floor(((i + 1) * SLOTS) / online.length) - 1,
  }));
}

/** Redis Cluster's slot: CRC16 (XMODEM) of the key, or of what stands in its first braces. */
export function clusterKeySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) % SLOTS;
}

function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
  }
  return crc;
}

function info(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const nodes = context.services.cluster();
  const fields = {
    cluster_enabled: 0,
    cluster_state: 'ok',
    cluster_slots_assigned: SLOTS,
    cluster_slots_ok: SLOTS,
    cluster_slots_pfail: 0,
    cluster_slots_fail: 0,
    cluster_known_nodes: nodes.length,
    cluster_size: dealSlots(nodes).length,
    cluster_current_epoch: 1,
    cluster_my_epoch: 1,
  };
  out.verbatim(
    Object.entries(fields)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join(''),
  );
}

function slots(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const ranges = dealSlots(context.services.cluster());
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
  const ranges = dealSlots(context.services.cluster());
  out.array(ranges.length);
  for (const { node, first, last } of ranges) {
    out.map(2);
    out.bulk('slots');
    out.array(2);
    out.integer(first);
    out.integer(last);
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
  const all = context.services.cluster();
  const ranges = dealSlots(all);
  const lines = all.map((node, i) => {
    const range = ranges.find((dealt) => dealt.node === node);
    const flags = `${node.self ? 'myself,' : ''}master${node.online || node.self ? '' : ',fail'}`;
    const link = node.online || node.self ? 'connected' : 'disconnected';
    const dealt = range === undefined ? '' : ` ${range.first}-${range.last}`;
    const address = `${node.host}:${node.port}@${node.port}`;
    return `${node.id} ${address} ${flags} - 0 0 ${i + 1} ${link}${dealt}\n`;
  });
  out.verbatim(lines.join(''));
}

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
        const self = context.services.cluster().find((node) => node.self);
        out.bulk(self?.id ?? '');
      },
    },
    SLOTS: { arity: 2, run: slots },
    SHARDS: { arity: 2, run: shards },
    NODES: { arity: 2, run: nodes },
    KEYSLOT: {
      arity: 3,
      run: (_context, args, out) => out.integer(clusterKeySlot(args[2] ?? '')),
    },
  },
});
