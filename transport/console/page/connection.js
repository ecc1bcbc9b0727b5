/**
 * The page's end of the socket: says who it is, watches views, asks questions, and comes back after
 * a loss, by another node where its own is gone. It watches nothing while the page is hidden.
 *
 * @import { ConsoleCredentials } from '../../http/console-door.ts'
 * @import { Args, NodeAddress } from '../console-protocol.ts'
 */

const VERSION = 1;
const SOCKET_PATH = '/console/socket';
const RETRY_MS = 1_000;
/** Tries at one node before the next one is asked. */
const TRIES_MAX = 2;
const ANSWER_MS_MAX = 15_000;

/**
 * @typedef {object} Welcome
 * @property {number} node
 * @property {string} clusterId
 * @property {string | undefined} user
 * @property {string | undefined} role
 * @property {string | undefined} refused
 * @property {NodeAddress[]} nodes
 */

/**
 * @typedef {object} Watched
 * @property {string} view
 * @property {Args} args
 * @property {(data: any, atMs: number) => void} tell
 */

/** @type {{ encode(value: unknown): Uint8Array<ArrayBuffer>, decode(bytes: Uint8Array): any }} */
const CBOR = /** @type {any} */ (Reflect.get(globalThis, 'CBOR'));

export class Connection {
  /** @type {'connecting' | 'open' | 'lost'} */
  state = 'connecting';
  /** @type {Welcome | undefined} */
  welcome;
  /** `host:port` of the node that is asked now. */
  address = location.host;
  /** When a view was last told. */
  heardAtMs = Date.now();
  /** @type {ConsoleCredentials} */
  #credentials = { type: 'none' };
  /** @type {WebSocket | undefined} */
  #socket;
  #nextId = 1;
  #tries = 0;
  /** @type {Map<number, Watched>} */
  #watched = new Map();
  /** @type {Map<number, { resolve: (data: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map();
  /** @type {Set<() => void>} */
  #listeners = new Set();

  constructor() {
    document.addEventListener('visibilitychange', () => this.#visibilityChanged());
    this.#open();
  }

  /** @param {() => void} listener told of each change of state or user; returns how to stop */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {ConsoleCredentials} credentials */
  login(credentials) {
    this.#credentials = credentials;
    this.#hello();
  }

  /**
   * @param {string} view
   * @param {Args} args
   * @param {Watched['tell']} tell
   * @returns {() => void} how to stop
   */
  watch(view, args, tell) {
    const id = this.#nextId++;
    this.#watched.set(id, { view, args, tell });
    if (!document.hidden) this.#send({ type: 'subscribe', id, view, args });
    return () => {
      this.#watched.delete(id);
      this.#send({ type: 'unsubscribe', id });
    };
  }

  /**
   * @param {string} what
   * @param {Args} args
   * @returns {Promise<any>}
   */
  ask(what, args = {}) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.state !== 'open') {
        reject(new Error('not connected'));
        return;
      }
      this.#asked.set(id, { resolve, reject });
      this.#send({ type: 'ask', id, what, args });
      setTimeout(() => this.#settle(id, undefined, 'no answer in time'), ANSWER_MS_MAX);
    });
  }

  #open() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${this.address}${SOCKET_PATH}`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#hello();
    socket.onmessage = ({ data }) => this.#received(CBOR.decode(new Uint8Array(data)));
    socket.onclose = () => this.#closed(socket);
    this.#socket = socket;
  }

  #hello() {
    this.#send({ type: 'hello', version: VERSION, credentials: this.#credentials });
  }

  /** @param {any} message */
  #received(message) {
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'view': {
        const { atMs, data } = CBOR.decode(message.body);
        this.heardAtMs = Date.now();
        this.#watched.get(message.id)?.tell(data, atMs);
        return;
      }
      case 'answer':
        return this.#settle(message.id, message.data, undefined);
      case 'refused':
        this.#watched.get(message.id)?.tell({ error: message.reason }, Date.now());
        return this.#settle(message.id, undefined, message.reason);
    }
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    const isNew = this.state !== 'open';
    // A refused login changes nothing.
    if (welcome.refused !== undefined && this.welcome?.role !== undefined && !isNew) {
      this.welcome = { ...this.welcome, refused: welcome.refused };
    } else this.welcome = welcome;
    this.state = 'open';
    this.#tries = 0;
    if (isNew) this.#subscribeAll();
    this.#changed();
  }

  #subscribeAll() {
    if (document.hidden) return;
    for (const [id, { view, args }] of this.#watched) {
      this.#send({ type: 'subscribe', id, view, args });
    }
  }

  #visibilityChanged() {
    if (!document.hidden) return this.#subscribeAll();
    for (const id of this.#watched.keys()) this.#send({ type: 'unsubscribe', id });
  }

  /** @param {WebSocket} socket */
  #closed(socket) {
    if (socket !== this.#socket) return;
    this.state = 'lost';
    for (const id of [...this.#asked.keys()]) this.#settle(id, undefined, 'the connection is lost');
    this.#tries += 1;
    if (this.#tries >= TRIES_MAX) this.#nextNode();
    this.#changed();
    setTimeout(() => this.#open(), RETRY_MS);
  }

  /** The next one whose address is known, in turn. */
  #nextNode() {
    this.#tries = 0;
    const known = (this.welcome?.nodes ?? []).flatMap(({ admin }) => admin ?? []);
    const at = known.indexOf(this.address);
    this.address = known[(at + 1) % known.length] ?? location.host;
  }

  /**
   * @param {number} id
   * @param {unknown} data
   * @param {string | undefined} error
   */
  #settle(id, data, error) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(data);
    else asked?.reject(new Error(error));
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }

  /** @param {object} message */
  #send(message) {
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.OPEN) socket.send(CBOR.encode(message));
  }
}
