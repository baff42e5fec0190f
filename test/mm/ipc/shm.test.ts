/**
 * System V shared memory as the library gives it. What a program can see is told by test/programs/sysv-shm.c, whose output
 * is compared with Linux's; here is what needs a kernel of one's own: limits, promises of memory, clocks, random calls.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_INFO,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  type Kernel,
  LinuxError,
  MADV_PAGEOUT,
  MADV_REMOVE,
  MemoryFault,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  O_RDONLY,
  O_RDWR,
  PROT_READ,
  type Process,
  procFs,
  SHM_INFO,
  SHM_LOCK,
  SHM_NORESERVE,
  SHM_RDONLY,
  SHM_REMAP,
  SHM_RND,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
  validate,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, faults, outcome, P, RW, spawn } from "../core/rig.ts";
import { addSwap } from "../swap/rig.ts";

function makeSegment(task: Process, pages: number, mode = 0o600): number {
  return task.shmget(IPC_PRIVATE, pages * P, mode);
}

/** What a write to a file of /proc/sys/kernel answers, and what it then holds. */
function set(task: Process, name: string, text: string): [outcome: string, holds: string] {
  const fd = task.open(`/proc/sys/kernel/${name}`, O_RDWR);
  const result = outcome(() => expect(task.write(fd, new TextEncoder().encode(text))).toBeGreaterThan(0));
  task.close(fd);
  return [result, read(task, `/proc/sys/kernel/${name}`).trimEnd()];
}

function read(task: Process, path: string): string {
  const fd = task.open(path, O_RDONLY);
  const bytes = new Uint8Array(4096);
  const length = task.read(fd, bytes);
  task.close(fd);
  return Buffer.from(bytes.subarray(0, length)).toString();
}

function bootWithProc(options: Parameters<typeof boot>[0] = {}): { kernel: Kernel; task: Process } {
  const kernel = boot(options);
  kernel.mount("/proc", procFs(kernel));
  return { kernel, task: kernel.spawn() };
}

describe("shared memory", () => {
  it("is seen by all who attach it, and lives on without them", () => {
    const kernel = boot();
    const one = kernel.spawn();
    const id = one.shmget(0x1234, 2 * P, IPC_CREAT | 0o600);
    const at = one.shmat(id);
    one.storeU32(at + P, 42);
    one.exit();
    const other = kernel.spawn();
    expect(other.shmget(0x1234, 0, 0)).toBe(id);
    expect(other.loadU32(other.shmat(id) + P)).toBe(42);
  });

  it("counts each piece of an attachment, and ends with the last", () => {
    const kernel = boot({ now: () => 5e9 });
    const task = kernel.spawn();
    const id = makeSegment(task, 4);
    task.shmat(id, BASE);
    task.mprotect(BASE + P, P, PROT_READ);
    expect(task.shmctl(id, IPC_STAT)).toMatchObject({
      nattch: 3,
      atime: 5,
      dtime: 0,
      ctime: 5,
      cpid: 1,
      lpid: 1,
    });
    const child = task.fork();
    task.shmctl(id, IPC_RMID);
    expect(task.shmctl(id, IPC_STAT)).toMatchObject({ nattch: 6, mode: 0o1600, lpid: 1 });
    child.munmap(BASE, P);
    expect(task.shmctl(id, IPC_STAT)).toMatchObject({ nattch: 5, dtime: 5, lpid: child.pid });
    task.shmdt(BASE);
    child.exit();
    expect(outcome(() => task.shmctl(id, IPC_STAT))).toBe("EINVAL");
    expect(kernel.phys.commit.committed).toBe(0);
  });

  it("moved or doubled by mremap stays attached, and shmdt finds where it began", () => {
    const task = spawn();
    const id = makeSegment(task, 4);
    task.shmat(id, BASE);
    task.mremap(BASE + 2 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 64 * P);
    task.mremap(BASE, 0, P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 128 * P);
    expect(task.shmctl(id, IPC_STAT).nattch).toBe(4);
    expect(outcome(() => task.shmdt(BASE + 64 * P))).toBe("EINVAL");
    task.shmdt(BASE);
    expect(task.shmctl(id, IPC_STAT).nattch).toBe(2);
    task.shmdt(BASE + 62 * P);
    task.shmdt(BASE + 128 * P);
    expect(task.shmctl(id, IPC_STAT).nattch).toBe(0);
  });

  it("two segments whose pages lie in one another's range are told apart", () => {
    const task = spawn();
    const [one, other] = [makeSegment(task, 3), makeSegment(task, 3)];
    task.shmat(one, BASE);
    task.shmat(other, BASE + 16 * P);
    // Page 1 of the other, where page 1 of the first was.
    task.mremap(BASE + 17 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + P);
    task.shmdt(BASE);
    expect([task.shmctl(one, IPC_STAT).nattch, task.shmctl(other, IPC_STAT).nattch]).toEqual([0, 3]);
  });

  it("is not lost when its last attachment is replaced by another", () => {
    const task = spawn();
    const id = makeSegment(task, 2);
    task.shmat(id, BASE);
    task.storeU8(BASE, 9);
    task.shmctl(id, IPC_RMID);
    expect(task.shmat(id, BASE + 7, SHM_RND | SHM_REMAP)).toBe(BASE);
    expect(task.loadU8(BASE)).toBe(9);
    // Here the old mapping goes before the new one comes, and with it the segment.
    expect(outcome(() => task.remap_file_pages(BASE, 2 * P, 0, 0))).toBe("EINVAL");
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_MAPERR");
  });

  it("maps no pages around a faulting one", () => {
    const task = spawn();
    const id = makeSegment(task, 16);
    const at = task.shmat(id);
    const all = (): void => {
      for (let page = 0; page < 16; page++) task.loadU8(at + page * P);
    };
    expect(faults(task, all)).toBe(16);
    const again = task.shmat(id, 0, SHM_RDONLY);
    expect(
      faults(task, () => {
        for (let page = 0; page < 16; page++) task.loadU8(again + page * P);
      }),
    ).toBe(16);
    expect(outcome(() => task.storeU8(again, 1))).toBe("SEGV_ACCERR");
    expect(task.shmctl(0, SHM_INFO)).toMatchObject({ usedIds: 1, shmTot: 16, shmRss: 16 });
    task.madvise(at, 4 * P, MADV_REMOVE);
    expect(task.shmctl(0, SHM_INFO).shmRss).toBe(12);
  });

  it("is promised as a whole when it is made, unless SHM_NORESERVE says otherwise", () => {
    const { kernel, task } = bootWithProc();
    const { commit } = kernel.phys;
    const before = commit.committed;
    const id = makeSegment(task, 10);
    expect(commit.committed).toBe(before + 10);
    const at = task.shmat(id);
    task.storeU8(at, 1);
    expect(commit.committed).toBe(before + 10);
    const sparse = task.shmget(IPC_PRIVATE, 2 ** 40, SHM_NORESERVE | 0o600);
    expect(commit.committed).toBe(before + 10);
    const there = task.shmat(sparse);
    task.storeU8(there + 2 ** 39, 1);
    expect(commit.committed).toBe(before + 11);
    task.shmctl(sparse, IPC_RMID);
    task.shmdt(there);
    expect(commit.committed).toBe(before + 10);
    expect(outcome(() => task.shmget(IPC_PRIVATE, 2 ** 40, 0o600))).toBe("ENOMEM");
    commit.mode = 2;
    expect(outcome(() => task.shmget(IPC_PRIVATE, 2 ** 40, SHM_NORESERVE | 0o600))).toBe("ENOMEM");
  });

  it("shows in the trace as mappings that come and go", () => {
    const kernel = boot();
    const task = kernel.spawn();
    const events: string[] = [];
    kernel.tracer.subscribe((event) => {
      if (event.type === "mmap") events.push(`mmap ${event.path} ${event.mappingType} ${event.length / P}`);
      if (event.type === "munmap") events.push(`munmap ${(event.address - BASE) / P} ${event.length / P}`);
    });
    task.shmat(task.shmget(0x77, 3 * P, IPC_CREAT | 0o600), BASE);
    task.mprotect(BASE + P, 2 * P, PROT_READ);
    task.shmdt(BASE);
    expect(events).toEqual(["mmap /SYSV00000077 (deleted) shared file 3", "munmap 0 1", "munmap 1 2"]);
  });

  it("throws for a command that there is none of, and takes IPC_SET", () => {
    const task = spawn();
    const id = makeSegment(task, 1);
    expect(outcome(() => task.shmctl(id, 99 as typeof IPC_STAT))).toBe("EINVAL");
    expect(outcome(() => task.shmctl(id, IPC_SET, { uid: -1, gid: 0, mode: 0 }))).toBe("EINVAL");
    task.shmctl(id, IPC_SET, { uid: 3, gid: 4, mode: 0o7777 });
    expect(task.shmctl(id, SHM_STAT)).toMatchObject({ id, uid: 3, gid: 4, cuid: 0, mode: 0o777 });
    expect(task.shmctl(id, SHM_STAT_ANY).id).toBe(id);
    expect(outcome(() => task.shmctl(-1, SHM_STAT))).toBe("EINVAL");
    expect(outcome(() => task.shmget(5, 1.5, IPC_CREAT))).toBe("EINVAL");
  });

  it("asks the owner's bits of the owner, even where others may more", () => {
    const kernel = boot();
    const task = kernel.spawn({ uid: 7, gid: 8 });
    const id = makeSegment(task, 1, 0o077);
    expect(outcome(() => task.shmat(id))).toBe("EACCES");
    expect(outcome(() => kernel.spawn({ uid: 9, gid: 8 }).shmat(id))).toBe("ok");
    expect(outcome(() => kernel.spawn().shmat(id))).toBe("ok");
    expect(outcome(() => kernel.spawn({ uid: 9, gid: 8 }).shmctl(id, IPC_RMID))).toBe("EPERM");
    expect(outcome(() => task.shmctl(id, IPC_RMID))).toBe("ok");
  });

  it("SHM_LOCK charges the user, not the process", () => {
    const kernel = boot();
    const user = { uid: 7, gid: 7 };
    const [one, other] = [kernel.spawn(user), kernel.spawn(user)];
    for (const task of [one, other]) task.setrlimit(8, { soft: 4 * P, hard: 4 * P });
    const [small, large] = [makeSegment(one, 1), makeSegment(one, 3)];
    one.shmctl(large, SHM_LOCK);
    other.shmctl(small, SHM_LOCK);
    const third = makeSegment(other, 1);
    expect(outcome(() => other.shmctl(third, SHM_LOCK))).toBe("ENOMEM");
    one.shmctl(large, SHM_UNLOCK);
    expect(outcome(() => other.shmctl(third, SHM_LOCK))).toBe("ok");
    expect(one.shmctl(third, IPC_STAT).mode).toBe(0o2600);
    other.shmctl(third, IPC_RMID);
    other.shmctl(small, IPC_RMID);
    expect([...kernel.ipc.lockedPages]).toEqual([]);
  });
});

describe("a segment that SHM_LOCK keeps in memory", () => {
  it("has unevictable pages as they come, and gives them back", () => {
    const { task } = bootWithProc();
    const pages = (): [unevictable: number, mlocked: number] => {
      const text = read(task, "/proc/meminfo");
      const kib = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1]);
      return [kib("Unevictable") / 4, kib("Mlocked") / 4];
    };
    const id = makeSegment(task, 8);
    const at = task.shmat(id);
    const touch = (from: number, to: number): void => {
      for (let page = from; page < to; page++) task.storeU8(at + page * P, 1);
    };
    touch(0, 4);
    task.shmctl(id, SHM_LOCK);
    expect(pages()).toEqual([0, 0]);
    touch(4, 8);
    expect(pages()).toEqual([4, 0]);
    task.mlock(at, 8 * P);
    expect(pages()).toEqual([8, 8]);
    task.munlock(at, 8 * P);
    expect(pages()).toEqual([8, 0]);
    task.mlock(at, 2 * P);
    task.shmctl(id, SHM_UNLOCK);
    expect(pages()).toEqual([2, 2]);
    task.shmctl(id, SHM_LOCK);
    task.madvise(at + 4 * P, 4 * P, MADV_REMOVE);
    touch(4, 6);
    expect(pages()).toEqual([4, 2]);
    task.shmctl(id, IPC_RMID);
    task.shmdt(at);
    expect(pages()).toEqual([0, 0]);
  });
});

describe("pages that were there before SHM_LOCK", () => {
  for (const lruPolicy of ["lru", "mglru"] as const) {
    it(`stay under pressure, and when they are to be paged out (${lruPolicy})`, () => {
      const kernel = boot({ ram: 400 * P, lruPolicy });
      addSwap(kernel, "memory", 600);
      const task = kernel.spawn();
      const id = task.shmget(IPC_PRIVATE, 16 * P, IPC_CREAT | 0o600);
      const at = task.shmat(id);
      for (let page = 0; page < 16; page++) task.storeU8(at + page * P, 1 + page);
      task.shmctl(id, SHM_LOCK);
      const other = task.mmap(0, 500 * P, RW, ANON);
      for (let page = 0; page < 500; page++) task.storeU8(other + page * P, 1);
      task.madvise(at, 8 * P, MADV_PAGEOUT);
      expect(kernel.vmstat().pswpout).toBeGreaterThan(0);
      expect(kernel.vmstat().nr_unevictable).toBeGreaterThanOrEqual(8);
      const { minFlt, majFlt } = task;
      for (let page = 0; page < 16; page++) expect(task.loadU8(at + page * P)).toBe(1 + page);
      expect([task.minFlt, task.majFlt]).toEqual([minFlt, majFlt]);
    });
  }
});

describe("limits of shared memory", () => {
  it("kernel.shmmni, shmall and shmmax", () => {
    const { task } = bootWithProc();
    const make = (size: number): string => outcome(() => task.shmget(IPC_PRIVATE, size, 0o600));
    expect(task.shmctl(0, IPC_INFO)).toEqual({
      shmmax: 18446744073692774399n,
      shmmin: 1,
      shmmni: 4096,
      shmseg: 4096,
      shmall: 18446744073692774399n,
      maxSlot: 0,
    });
    expect(make(P)).toBe("ok");
    expect(set(task, "shmmni", "1")).toEqual(["ok", "1"]);
    expect(make(P)).toBe("ENOSPC");
    expect(set(task, "shmmni", "32769")).toEqual(["EINVAL", "1"]);
    set(task, "shmmni", "4096");
    expect(set(task, "shmall", "2")).toEqual(["ok", "2"]);
    expect([make(2 * P), make(P), make(1)]).toEqual(["ENOSPC", "ok", "ENOSPC"]);
    set(task, "shmall", "18446744073692774399");
    expect(set(task, "shmmax", "8192")).toEqual(["ok", "8192"]);
    expect([make(8193), make(8192)]).toEqual(["EINVAL", "ok"]);
    set(task, "shmmax", "18446744073709551615");
    expect([make(-1), make(-4096), make(2 ** 62)]).toEqual(["ENOSPC", "EINVAL", "ENOMEM"]);
  });

  it("numbers of 64 bits, as Linux reads them", () => {
    const { task } = bootWithProc();
    const big = "18446744073709551615";
    expect(set(task, "shmmax", `${big}\n`)).toEqual(["ok", big]);
    expect(set(task, "shmmax", "18446744073709551616")).toEqual(["EINVAL", big]);
    expect(set(task, "shmmax", "-5")).toEqual(["EINVAL", big]);
    expect(set(task, "shmmax", "010")).toEqual(["ok", "8"]);
    expect(set(task, "shmmax", "0x10 ")).toEqual(["ok", "16"]);
    expect(set(task, "shmmax", "12x")).toEqual(["EINVAL", "16"]);
    expect(set(task, "shmmax", "12 13")).toEqual(["ok", "12"]);
    expect(set(task, "shmmax", "08")).toEqual(["EINVAL", "12"]);
    expect(set(task, "shmmax", " \n")).toEqual(["EINVAL", "12"]);
  });

  it("kernel.shm_rmid_forced ends what nobody has attached and whose maker is gone", () => {
    const { kernel, task } = bootWithProc();
    const there = (key: number): boolean => outcome(() => task.shmget(key, 0, 0)) === "ok";
    const maker = kernel.spawn();
    maker.shmget(99, P, IPC_CREAT | 0o600);
    const mine = makeSegment(task, 1);
    maker.exit();
    expect(there(99)).toBe(true);
    expect(set(task, "shm_rmid_forced", "2")).toEqual(["EINVAL", "0"]);
    expect(set(task, "shm_rmid_forced", "1")).toEqual(["ok", "1"]);
    expect([there(99), outcome(() => task.shmctl(mine, IPC_STAT))]).toEqual([false, "ok"]);
    task.shmdt(task.shmat(mine));
    expect(outcome(() => task.shmctl(mine, IPC_STAT))).toBe("EINVAL");

    const second = kernel.spawn();
    second.shmget(98, P, IPC_CREAT | 0o600);
    second.shmget(97, P, IPC_CREAT | 0o600);
    task.shmat(task.shmget(97, 0, 0), BASE);
    second.exit();
    expect([there(98), there(97)]).toEqual([false, true]);
    task.shmdt(BASE);
    expect(there(97)).toBe(false);

    task.shmget(96, P, IPC_CREAT | 0o600);
    const inTheWay = task.mmap(0, P, RW, 0x22);
    expect(outcome(() => task.shmat(task.shmget(96, 0, 0), inTheWay))).toBe("EINVAL");
    expect(there(96)).toBe(false);
  });
});

describe("shared memory under random calls", () => {
  const small = fc.nat({ max: 5 });
  const call = fc.record({
    who: fc.nat({ max: 2 }),
    what: fc.constantFrom(
      "get",
      "at",
      "at",
      "dt",
      "rm",
      "set",
      "lock",
      "unlock",
      "mlock",
      "protect",
      "unmap",
      "move",
      "fork",
      "exit",
    ),
    a: small,
    b: small,
    c: fc.nat({ max: 15 }),
  });
  type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

  /** Slots of eight pages each at BASE. */
  const place = (slot: number): number => BASE + slot * 8 * P;

  function perform(kernel: Kernel, tasks: Process[], ids: number[], { who, what, a, b, c }: Call): void {
    const task = tasks[who];
    const id = ids[c % Math.max(ids.length, 1)] ?? c;
    const range: [number, number] = [place(a) + (c % 4) * P, (1 + (b % 3)) * P];
    switch (what) {
      case "get":
        ids.push(task.shmget(a, (b + 1) * P - c, IPC_CREAT | (c === 3 ? IPC_EXCL : 0) | 0o600));
        break;
      case "at":
        task.shmat(id, c < 4 ? 0 : place(a), (c & 1 ? SHM_REMAP : 0) | (c & 2 ? SHM_RDONLY : 0));
        if (c >= 4) task.storeU8(place(a) + b * P, c);
        break;
      case "dt":
        task.shmdt(place(a));
        break;
      case "rm":
        task.shmctl(id, IPC_RMID);
        break;
      case "set":
        task.shmctl(id, IPC_SET, { uid: b, gid: 0, mode: 0o666 });
        break;
      case "lock":
        task.shmctl(id, SHM_LOCK);
        break;
      case "unlock":
        task.shmctl(id, SHM_UNLOCK);
        break;
      case "mlock":
        if (b < 3) task.mlock(...range);
        else task.munlock(...range);
        break;
      case "protect":
        task.mprotect(...range, b % 2 === 0 ? PROT_READ : RW);
        break;
      case "unmap":
        task.munmap(...range);
        break;
      case "move":
        task.mremap(
          range[0],
          c % 5 === 0 ? 0 : range[1],
          range[1],
          MREMAP_MAYMOVE | MREMAP_FIXED,
          place(b) + 4 * P,
        );
        break;
      case "fork":
        tasks[b % 3].exit();
        tasks[b % 3] = tasks[b % 3] === task ? kernel.spawn() : task.fork();
        break;
      case "exit":
        task.exit();
        tasks[who] = kernel.spawn({ uid: b });
        break;
    }
  }

  it("leaves every count right, and nothing behind", () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 60 }), (calls) => {
        const kernel = boot();
        const tasks = [kernel.spawn(), kernel.spawn(), kernel.spawn({ uid: 7 })];
        const ids: number[] = [];
        for (const step of calls) {
          try {
            perform(kernel, tasks, ids, step);
          } catch (error) {
            if (!(error instanceof LinuxError || error instanceof MemoryFault)) throw error;
          }
          expect(validate(kernel)).toEqual([]);
        }
        for (const task of tasks) task.exit();
        const root = kernel.spawn();
        for (const { id } of [...kernel.ipc.segments]) root.shmctl(id, IPC_RMID);
        expect([kernel.ipc.segments.inUse, kernel.ipc.totalPages, kernel.phys.commit.committed]).toEqual([
          0, 0, 0,
        ]);
        root.exit();
      }),
      { numRuns: 60 },
    );
  });
});
