/**
 * The gateway's counters for INFO and the metrics, and the rates over the last seconds. Plain
 * numbers: connections add to them on the hot path, and readers read them at any time.
 */
const RATE_SAMPLES = 16;
/** Codes of errors that are counted by name, as in Redis; the others are one more. */
const ERROR_CODES_MAX = 128;

export class GatewayCounters {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commands = 0;
  bytesIn = 0;
  bytesOut = 0;
  reads = 0;
  writes = 0;
  protocolErrors = 0;
  securityAttacks = 0;
  outputLimitDisconnects = 0;
  idleDisconnects = 0;
  partialDisconnects = 0;
  memoryDisconnects = 0;
  /** Commands refused for want of memory. */
  memoryRefusals = 0;
  unitsSubmitted = 0;
  /** Units that a full mailbox of the coordinator rejected; they were retried. */
  unitsRefused = 0;
  unitsFailed = 0;
  errorReplies = 0;
  /** By the first word of the error. */
  readonly errorCodes = new Map<string, number>();
  /** Times that a command which waits was run: at first, and when it was its turn. */
  waitAttempts = 0;
  /** Elements that were taken for a client that was gone by then. */
  orphanedPops = 0;
  readonly opsPerSecond = new Rate();
  readonly bytesInPerSecond = new Rate();
  readonly bytesOutPerSecond = new Rate();

  errorReply(code: string): void {
    const codes = this.errorCodes;
    const name = codes.has(code) || codes.size < ERROR_CODES_MAX ? code : 'OTHERS';
    this.errorReplies += 1;
    codes.set(name, (codes.get(name) ?? 0) + 1);
  }

  /** To be called about every 100 ms to 1 s; `nowMs` is monotonic. */
  sample(nowMs: number): void {
    this.opsPerSecond.sample(nowMs, this.commands);
    this.bytesInPerSecond.sample(nowMs, this.bytesIn);
    this.bytesOutPerSecond.sample(nowMs, this.bytesOut);
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commands = 0;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.reads = 0;
    this.writes = 0;
    this.protocolErrors = 0;
    this.securityAttacks = 0;
    this.outputLimitDisconnects = 0;
    this.idleDisconnects = 0;
    this.partialDisconnects = 0;
    this.memoryDisconnects = 0;
    this.memoryRefusals = 0;
    this.unitsSubmitted = 0;
    this.unitsRefused = 0;
    this.unitsFailed = 0;
    this.errorReplies = 0;
    this.errorCodes.clear();
    this.waitAttempts = 0;
    this.orphanedPops = 0;
    this.opsPerSecond.reset();
    this.bytesInPerSecond.reset();
    this.bytesOutPerSecond.reset();
  }
}

/** The mean of the last samples, like Redis' instantaneous metrics. */
class Rate {
  #samples: number[] = [];
  #lastMs = -1;
  #lastTotal = 0;

  sample(nowMs: number, total: number): void {
    if (this.#lastMs >= 0 && nowMs > this.#lastMs) {
      this.#samples.push(((total - this.#lastTotal) * 1000) / (nowMs - this.#lastMs));
      if (this.#samples.length > RATE_SAMPLES) this.#samples.shift();
    }
    this.#lastMs = nowMs;
    this.#lastTotal = total;
  }

  get perSecond(): number {
    if (this.#samples.length === 0) return 0;
    return this.#samples.reduce((sum, sample) => sum + sample, 0) / this.#samples.length;
  }

  reset(): void {
    this.#samples = [];
    this.#lastMs = -1;
    this.#lastTotal = 0;
  }
}
