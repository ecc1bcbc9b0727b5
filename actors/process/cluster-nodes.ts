/** The nodes of the topology as CLUSTER shows them to clients. Pure. */
import { createHash } from 'node:crypto';
import { parseEndpoint } from '../../transport/endpoint.ts';
import type { GatewayServices } from '../../transport/resp/gateway-services.ts';
import type { Group } from '../accord/topology/group.ts';
import type { Topology } from '../meta/topology.ts';

interface Sight {
  readonly self: number;
  /** Where clients reach this node, as HOST:PORT. */
  readonly redis: string;
  readonly groups: readonly Pick<Group, 'id' | 'fromSlot' | 'toSlot' | 'members'>[];
  readonly connected: ReadonlySet<number>;
}

/** A node that has not told where its clients reach it is not shown. */
export function clusterOf(
  topology: Topology,
  sight: Sight,
): ReturnType<GatewayServices['cluster']> {
  const { epoch, clusterId } = topology;
  const { self, connected, groups } = sight;
  const places = new Map(topology.nodes.map(({ id, redis }) => [id, redis]));
  places.set(self, sight.redis);
  const known = [...places].flatMap(([id, redis]) => {
    const place = parseEndpoint(redis);
    return place === undefined ? [] : [{ id, ...place, online: id === self || connected.has(id) }];
  });
  const shown = new Set(known.filter(({ online }) => online).map(({ id }) => id));
  const owned = groups.map((group) => ({ ...group, owner: ownerOf(group, shown) ?? self }));
  const nodes = known.map(({ id, host, port, online }) => ({
    // The same at all nodes.
    id: createHash('sha1').update(`${clusterId} ${id}`).digest('hex'),
    ...{ host, port, online, self: id === self },
    slots: owned
      .filter(({ owner }) => owner === id)
      .map(({ fromSlot, toSlot }) => ({ first: fromSlot, last: toSlot - 1 })),
  }));
  return { epoch, nodes };
}

/** The first of its members that is up; each range begins one member further than the last one. */
function ownerOf(
  { id, members }: Pick<Group, 'id' | 'members'>,
  shown: ReadonlySet<number>,
): number | undefined {
  const first = (id.range - 1) % members.length;
  return [...members.slice(first), ...members.slice(0, first)].find((member) => shown.has(member));
}
