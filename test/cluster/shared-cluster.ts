/** A cluster for all tests of a file, and ioredis clients of its nodes, which end with it. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { type ClusterOptions, HOST, TestCluster } from './harness.ts';

export class SharedCluster {
  #cluster: TestCluster | undefined;
  #opened: Redis[] = [];

  /** To be called outside of the tests. */
  constructor(options: ClusterOptions = {}) {
    beforeAll(async () => {
      this.#cluster = await TestCluster.start(options);
    });
    afterAll(async () => {
      this.disconnect();
      await this.#cluster?.remove();
    });
  }

  get cluster(): TestCluster {
    if (this.#cluster === undefined) throw new Error('the cluster has not been started');
    return this.#cluster;
  }

  /** Tries nothing again that fails. */
  redis(node: number, protocol: 2 | 3 = 3): Redis {
    const { redisPort: port } = this.cluster.node(node);
    const client = new Redis({ host: HOST, port, maxRetriesPerRequest: 0, protocol });
    client.on('error', () => undefined);
    this.#opened.push(client);
    return client;
  }

  /** All clients so far. */
  disconnect(): void {
    for (const client of this.#opened) client.disconnect();
    this.#opened = [];
  }
}
