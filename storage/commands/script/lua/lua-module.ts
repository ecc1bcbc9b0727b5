/**
 * Lua 5.1 as the package `wasmoon-lua5.1` has it: the C sources, compiled to WebAssembly. Only its
 * compiled code is used, below its own interface, which cuts strings at NUL bytes and counts no
 * steps. This is the one file that knows the package.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A pointer into the memory, or an index of the function table. */
export type Address = number;
/** Takes a `lua_State`, returns how many values it has pushed. */
export type HostFunction = (state: Address) => number;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface WasmTable {
  get(at: Address): unknown;
  grow(slots: number): Address;
  set(at: Address, fn: unknown): void;
}

type WasmModule = object;

type WasmImports = Record<string, Record<string, (...args: number[]) => unknown>>;

/** The part of WebAssembly that is used: the types of Node do not have it. */
interface Wasm {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly { readonly module: string; readonly name: string }[];
  };
  readonly Instance: new (
    module: WasmModule,
    imports: WasmImports,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

const WASM = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

/** Functions of the C API that are used (Lua 5.1 Reference Manual, section 3). */
export interface LuaApi {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  __wasm_call_ctors(): void;
  emscripten_stack_init(): void;
  emscripten_stack_get_base(): Address;
  emscripten_stack_get_end(): Address;
  stackSave(): Address;
  stackRestore(at: Address): void;
  setThrew(threw: number, value: number): void;
  malloc(bytes: number): Address;
  realloc(at: Address, bytes: number): Address;
  free(at: Address): void;
  lua_newstate(allocate: Address, data: number): Address;
  luaL_openlibs(state: Address): void;
  luaL_loadbuffer(state: Address, at: Address, bytes: number, name: Address): number;
  luaL_argerror(state: Address, argument: number, message: Address): number;
  luaL_checklstring(state: Address, argument: number, length: Address): Address;
  luaL_checknumber(state: Address, argument: number): number;
  luaL_checkinteger(state: Address, argument: number): number;
  luaL_optinteger(state: Address, argument: number, standard: number): number;
  luaL_checktype(state: Address, argument: number, type: number): void;
  luaL_checkstack(state: Address, slots: number, message: Address): void;
  luaL_where(state: Address, level: number): void;
  lua_call(state: Address, args: number, results: number): void;
  lua_checkstack(state: Address, slots: number): number;
  lua_concat(state: Address, values: number): void;
  lua_createtable(state: Address, items: number, fields: number): void;
  lua_error(state: Address): number;
  lua_gc(state: Address, what: number, data: number): number;
  lua_getupvalue(state: Address, index: number, n: number): Address;
  lua_getfield(state: Address, index: number, name: Address): void;
  lua_gettable(state: Address, index: number): void;
  lua_gettop(state: Address): number;
  lua_insert(state: Address, index: number): void;
  lua_lessthan(state: Address, a: number, b: number): number;
  lua_next(state: Address, index: number): number;
  lua_objlen(state: Address, index: number): number;
  lua_pcall(state: Address, args: number, results: number, handler: number): number;
  lua_pushboolean(state: Address, value: number): void;
  lua_pushcclosure(state: Address, fn: Address, upvalues: number): void;
  lua_pushinteger(state: Address, value: number): void;
  lua_pushlightuserdata(state: Address, value: Address): void;
  lua_pushlstring(state: Address, at: Address, bytes: number): void;
  lua_pushnil(state: Address): void;
  lua_pushnumber(state: Address, value: number): void;
  lua_pushvalue(state: Address, index: number): void;
  lua_rawequal(state: Address, a: number, b: number): number;
  lua_rawget(state: Address, index: number): void;
  lua_rawgeti(state: Address, index: number, n: number): void;
  lua_rawset(state: Address, index: number): void;
  lua_rawseti(state: Address, index: number, n: number): void;
  lua_remove(state: Address, index: number): void;
  lua_replace(state: Address, index: number): void;
  lua_setfield(state: Address, index: number, name: Address): void;
  lua_sethook(state: Address, hook: Address, mask: number, count: number): number;
  lua_setmetatable(state: Address, index: number): number;
  lua_settable(state: Address, index: number): void;
  lua_settop(state: Address, index: number): void;
  lua_toboolean(state: Address, index: number): number;
  lua_tocfunction(state: Address, index: number): Address;
  lua_tolstring(state: Address, index: number, length: Address): Address;
  lua_tonumber(state: Address, index: number): number;
  lua_topointer(state: Address, index: number): Address;
  lua_touserdata(state: Address, index: number): Address;
  lua_type(state: Address, index: number): number;
}

/** Thrown where C would jump out of a function: only the nearest protected call catches it. */
const LONG_JUMP = Symbol('longjmp');

const PACKAGE_FILE = 'wasmoon-lua5.1/dist/liblua5.1.wasm';
const PAGE_BYTES = 65_536;
const ENOSYS = -52;

let compiled: WasmModule | undefined;

/** As it is to be compiled. */
export function luaCode(): Buffer {
  return readFileSync(createRequire(import.meta.url).resolve(PACKAGE_FILE));
}

function module(): WasmModule {
  if (compiled === undefined) {
    compiled = new WASM.Module(luaCode());
  }
  return compiled;
}

/**
 * A fresh copy. It reaches nothing of the system: whatever C asks for, a file or the time, is not
 * there. Its memory grows up to `memoryBytesMax()`. `onError`: called where an error is raised.
 */
export function instantiateLua(memoryBytesMax: () => number, onError: () => void): LuaApi {
  const imports: WasmImports = {};
  for (const { module: room, name } of WASM.Module.imports(module())) {
    imports[room] ??= {};
    (imports[room] as WasmImports[string])[name] = () => ENOSYS;
  }
  Object.assign(imports['env'] ?? {}, {
    invoke_vii: (fn: Address, a: number, b: number): void => invoke(api, fn, a, b),
    _emscripten_throw_longjmp: (): never => {
      onError();
      throw LONG_JUMP;
    },
    emscripten_memcpy_js: (to: Address, from: Address, bytes: number): void => {
      new Uint8Array(api.memory.buffer).copyWithin(to, from, from + bytes);
    },
    emscripten_resize_heap: (bytes: number): number => grow(api.memory, bytes, memoryBytesMax()),
  });
  const instance = new WASM.Instance(module(), imports);
  const api = instance.exports as unknown as LuaApi;
  api.__wasm_call_ctors();
  api.emscripten_stack_init();
  return api;
}

/** A call that catches `LONG_JUMP`, as compiled C expects it of its host. */
function invoke(api: LuaApi, fn: Address, a: number, b: number): void {
  const stack = api.stackSave();
  try {
    functionAt(api, fn)(a, b);
  } catch (error) {
    if (error !== LONG_JUMP) throw error;
    api.stackRestore(stack);
    api.setThrew(1, 0);
  }
}

function grow(memory: WasmMemory, bytes: number, bytesMax: number): number {
  if (bytes > bytesMax) return 0;
  memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES));
  return 1;
}

export function functionAt(api: LuaApi, at: Address): (...args: number[]) => number {
  return api.__indirect_function_table.get(at) as (...args: number[]) => number;
}

/** Puts a function of the host, with so many integers, into the table that C calls through. */
export function addFunction(
  api: LuaApi,
  fn: (...args: number[]) => number | undefined,
  parameters: number,
  results = 1,
): Address {
  const table = api.__indirect_function_table;
  const at = table.grow(1);
  table.set(at, asWasm(fn, parameters, results));
  return at;
}

const INTEGER_TYPE = 0x7f;

/** A table takes functions of WebAssembly alone: a module that exports what it imports. */
function asWasm(fn: unknown, parameters: number, results: number): unknown {
  const integers = (count: number): number[] => [
    count,
    ...new Array<number>(count).fill(INTEGER_TYPE),
  ];
  const type = [0x60, ...integers(parameters), ...integers(results)];
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, type.length + 1, 0x01, ...type],
    // The import `e.f` and the export `f`, both function 0.
    ...[0x02, 0x07, 0x01, 0x01, 0x65, 0x01, 0x66, 0x00, 0x00],
    ...[0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00],
  ]);
  const instance = new WASM.Instance(new WASM.Module(bytes), {
    e: { f: fn as () => number },
  });
  return instance.exports['f'];
}
