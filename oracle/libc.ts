/** The few functions of the host's libc that Node lacks: pipes, a memory file, and starting a program on descriptors of ours. */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_NONE } from "../src/mm/uapi/mman.ts";

export interface Libc {
  /** A pipe, closed on exec. */
  pipe(): { readonly read: number; readonly write: number };
  /** A memory file without a name in any directory, closed on exec. */
  memoryFile(name: string): number;
  /**
   * Starts the executable with the descriptors `[from, to]` in place, in an address space that isn't randomised
   * and with a stack limit of `stackLimit` bytes, on which the place of mmap's area depends. Returns its pid.
   */
  spawn(path: string, descriptors: readonly (readonly [number, number])[], stackLimit: number): number;
  /** Waits until the child is gone. */
  reap(pid: number): void;
  /** Whether each of the first `length` bytes of the file on disk is stored, or waits to be: not a hole, and not merely reserved. */
  isStored(path: string, length: number): boolean;
  /** Where this process is given a page that it would like to have at `hint`; the page is gone at once. */
  placeFor(hint: number): number;
  /**
   * Binds this thread, and what it starts from now on, to one processor: lists of pages that the kernel keeps for each
   * processor are one, and a request and its answer cost two switches instead of two interrupts. Undone by what it
   * returns.
   */
  pin(): () => void;
}

const PAGE_SIZE = 4096;
const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const ADDR_NO_RANDOMIZE = 0x0040000;
const PERSONALITY_QUERY = 0xffffffff;
const RLIMIT_STACK = 3;
const FS_IOC_FIEMAP = 0xc020660b;
const FIEMAP_HEADER = 32;
const FIEMAP_EXTENT = 56;
/** More than a file of the oracle's can have. */
const FIEMAP_EXTENTS = 100;
const FIEMAP_EXTENT_UNWRITTEN = 0x800;
/** Bytes of a cpu_set_t. */
const CPU_SET_SIZE = 128;
/** More than any libc's posix_spawn_file_actions_t. */
const FILE_ACTIONS_SIZE = 256;

/** Koffi's untyped functions end here: these calls take and give numbers and buffers only. */
type NativeFunction = (...args: unknown[]) => number;

/** Throws where koffi or a function of libc can't be loaded. */
export function loadLibc(): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const library = koffi.load(null);
  const pipe2 = library.func("int pipe2(void *fds, int flags)") as NativeFunction;
  const memfdCreate = library.func(
    "int memfd_create(const char *name, unsigned int flags)",
  ) as NativeFunction;
  const personality = library.func("int personality(unsigned long persona)") as NativeFunction;
  const getrlimit = library.func("int getrlimit(int resource, void *limit)") as NativeFunction;
  const setrlimit = library.func("int setrlimit(int resource, const void *limit)") as NativeFunction;
  const waitpid = library.func("int waitpid(int pid, void *status, int options)") as NativeFunction;
  const getAffinity = library.func(
    "int sched_getaffinity(int pid, size_t size, void *mask)",
  ) as NativeFunction;
  const setAffinity = library.func(
    "int sched_setaffinity(int pid, size_t size, const void *mask)",
  ) as NativeFunction;
  const initActions = library.func("int posix_spawn_file_actions_init(void *actions)") as NativeFunction;
  const addDup2 = library.func(
    "int posix_spawn_file_actions_adddup2(void *actions, int from, int to)",
  ) as NativeFunction;
  const destroyActions = library.func(
    "int posix_spawn_file_actions_destroy(void *actions)",
  ) as NativeFunction;
  const ioctl = library.func("int ioctl(int fd, unsigned long request, void *argument)") as NativeFunction;
  const posixSpawn = library.func(
    "int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)",
  ) as NativeFunction;

  const mmap = library.func(
    "intptr_t mmap(intptr_t addr, size_t length, int prot, int flags, int fd, long offset)",
  ) as NativeFunction;
  const munmap = library.func("int munmap(intptr_t addr, size_t length)") as NativeFunction;

  return {
    pipe() {
      const fds = new Int32Array(2);
      must("pipe2", pipe2(fds, O_CLOEXEC));
      return { read: fds[0], write: fds[1] };
    },

    memoryFile(name) {
      return must("memfd_create", memfdCreate(name, MFD_CLOEXEC));
    },

    spawn(path, descriptors, stackLimit) {
      const actions = new Uint8Array(FILE_ACTIONS_SIZE);
      must("posix_spawn_file_actions_init", initActions(actions));
      for (const [from, to] of descriptors) must("adddup2", addDup2(actions, from, to));
      // Both are properties of this thread or process that the child inherits at once, and are put back after it.
      const before = new BigUint64Array(2);
      must("getrlimit", getrlimit(RLIMIT_STACK, before));
      must("setrlimit", setrlimit(RLIMIT_STACK, new BigUint64Array([BigInt(stackLimit), before[1]])));
      const persona = must("personality", personality(PERSONALITY_QUERY));
      must("personality", personality(persona | ADDR_NO_RANDOMIZE));
      const pid = new Int32Array(1);
      const error = posixSpawn(pid, path, actions, null, [path, null], [null]);
      personality(persona);
      setrlimit(RLIMIT_STACK, before);
      destroyActions(actions);
      if (error !== 0) throw new Error(`posix_spawn of the oracle's executor failed: errno ${error}`);
      return pid[0];
    },

    reap(pid) {
      waitpid(pid, null, 0);
    },

    isStored(path, length) {
      const fd = openSync(path, "r");
      // struct fiemap: start, length, flags and mapped_extents, extent_count; then extents of 56 bytes.
      const map = new DataView(new ArrayBuffer(FIEMAP_HEADER + FIEMAP_EXTENTS * FIEMAP_EXTENT));
      map.setBigUint64(8, BigInt(length), true);
      map.setUint32(24, FIEMAP_EXTENTS, true);
      must("ioctl(FS_IOC_FIEMAP)", ioctl(fd, FS_IOC_FIEMAP, new Uint8Array(map.buffer)));
      closeSync(fd);
      let end = 0;
      for (let index = 0; index < map.getUint32(20, true); index++) {
        const at = FIEMAP_HEADER + index * FIEMAP_EXTENT;
        const isWritten = (map.getUint32(at + 40, true) & FIEMAP_EXTENT_UNWRITTEN) === 0;
        if (isWritten && Number(map.getBigUint64(at, true)) === end)
          end += Number(map.getBigUint64(at + 16, true));
      }
      return end >= length;
    },

    placeFor(hint) {
      const place = must(
        "mmap",
        Number(mmap(hint, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
      );
      must("munmap", munmap(place, PAGE_SIZE));
      return place;
    },

    pin() {
      const before = new Uint8Array(CPU_SET_SIZE);
      must("sched_getaffinity", getAffinity(0, CPU_SET_SIZE, before));
      const byte = before.findLastIndex((bits) => bits !== 0);
      const last = new Uint8Array(CPU_SET_SIZE);
      last[byte] = 0x80 >> (Math.clz32(before[byte]) - 24);
      must("sched_setaffinity", setAffinity(0, CPU_SET_SIZE, last));
      return () => void setAffinity(0, CPU_SET_SIZE, before);
    },
  };
}

function must(what: string, result: number): number {
  if (result < 0) throw new Error(`${what} failed for the oracle`);
  return result;
}
