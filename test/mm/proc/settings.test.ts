/** /proc/sys/vm: which texts each setting takes, as Linux 6.18 takes them, and what a change does. */
import { beforeEach, describe, expect, it } from "vitest";
import { filemapWriteAndWaitRange } from "../../../src/mm/filemap/writeback.ts";
import {
  IPC_CREAT,
  IPC_PRIVATE,
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  O_RDONLY,
  O_RDWR,
  type Process,
  procFs,
  RISCV64,
  SHM_HUGETLB,
  SHM_NORESERVE,
  sysFs,
  X86_64,
} from "../../../src/mm/index.ts";
import { F_GET_SEALS } from "../../../src/mm/uapi/fs.ts";
import { MFD_ALLOW_SEALING, MFD_EXEC, MFD_NOEXEC_SEAL } from "../../../src/mm/uapi/mman.ts";
import { FakeFile } from "../filemap/fake-file.ts";
import { readAll, writeText } from "./steps.ts";

const PAGE = 4096;

let kernel: Kernel;
let process: Process;

beforeEach(() => {
  kernel = new Kernel({ arch: X86_64, ram: 32 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  process = kernel.spawn({ comm: "main" });
});

/** How many bytes were taken or the errno's name, and what is read afterwards. */
function put(name: string, text: string, as: Process = process): string {
  const path = `/proc/sys/vm/${name}`;
  let taken: unknown;
  try {
    taken = writeText(as, path, text);
  } catch (error) {
    taken = (error as { code?: string }).code;
  }
  const isReadable = (process.stat(path).mode & 0o400) !== 0;
  return `${taken}${isReadable ? ` ${readAll(process, path).trimEnd()}` : ""}`;
}

/** What a host's kernel said, text by text: taken or refused, and the value then. */
const UNSIGNED: readonly Row[] = [
  ["-1", "EINVAL 64"],
  ["", "0 64"],
  ["q", "EINVAL 64"],
  ["0x10", "4 16"],
  ["010", "3 8"],
  ["1 2", "2 1"],
  ["99999999999", "11 99999999999"],
  ["18446744073709551615", "20 18446744073709551615"],
  ["18446744073709551616", "EINVAL 18446744073709551615"],
  ["+5", "EINVAL 18446744073709551615"],
  [" 7\n", "3 7"],
  ["4x", "EINVAL 7"],
  ["00000000000000000007", "20 7"],
  ["000000000000000000005", "EINVAL 7"],
];
const INT: readonly Row[] = [
  ["", "0 64"],
  ["q", "EINVAL 64"],
  ["0x10", "4 16"],
  ["010", "3 8"],
  ["1 2", "2 1"],
  ["99999999999", "EINVAL 1"],
  ["+5", "EINVAL 1"],
  [" 7\n", "3 7"],
  ["4x", "EINVAL 7"],
  ["00000000000000000007", "20 7"],
  ["000000000000000000005", "EINVAL 7"],
];

/** A text, and what comes of writing it. */
type Row = readonly [text: string, outcome: string];

const TEXTS: Readonly<Record<string, readonly Row[]>> = {
  admin_reserve_kbytes: [["64", "2 64"], ...UNSIGNED],
  user_reserve_kbytes: [["64", "2 64"], ...UNSIGNED],
  overcommit_kbytes: [["64", "2 64"], ...UNSIGNED],
  mmap_min_addr: [["64", "2 64"], ...UNSIGNED],
  max_map_count: [["64", "2 64"], ["-1", "EINVAL 64"], ...INT],
  legacy_va_layout: [["64", "2 64"], ["-1", "EINVAL 64"], ...INT],
  overcommit_ratio: [["-1", "2 -1"], ["64", "2 64"], ...INT],
  overcommit_memory: [
    ["0x10", "EINVAL 0"],
    ["3", "EINVAL 0"],
    ["-1", "EINVAL 0"],
    ["2", "1 2"],
    ["1", "1 1"],
    ["0", "1 0"],
  ],
  mmap_rnd_bits: [
    ["27", "EINVAL 28"],
    ["33", "EINVAL 28"],
    ["32", "2 32"],
    ["28\n", "3 28"],
    ["", "0 28"],
  ],
  drop_caches: [
    ["0", "EINVAL"],
    ["1", "1"],
    ["2", "1"],
    ["3", "1"],
    ["4", "1"],
    ["8", "1"],
    ["-1", "EINVAL"],
    ["q", "EINVAL"],
    ["1 2", "2"],
  ],
};

describe("what may be written", () => {
  for (const [name, rows] of Object.entries(TEXTS)) {
    it(name, () => {
      expect(rows.map(([text]) => [text, put(name, text)])).toEqual(rows);
    });
  }

  it("by root alone", () => {
    const user = kernel.spawn({ uid: 1000, gid: 1000 });
    for (const name of Object.keys(TEXTS)) expect(put(name, "1", user).split(" ")[0]).toBe("EACCES");
    const open = (path: string): number => user.open(path, O_RDONLY);
    expect(() => open("/proc/sys/vm/mmap_rnd_bits")).toThrow("EACCES");
    expect(() => open("/proc/sys/vm/drop_caches")).toThrow("EACCES");
  });
});

describe("what a change does", () => {
  it("legacy_va_layout places mappings of later programs from the bottom up", () => {
    const map = (of: Process): number => of.mmap(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS);
    const before = [map(process), map(process)];
    expect(before[1]).toBeLessThan(before[0]);
    put("legacy_va_layout", "1");
    const later = kernel.spawn();
    const after = [map(later), map(later)];
    expect(after[1]).toBe(after[0] + PAGE);
    expect(after[0]).toBe(X86_64.unmappedBase);
    expect(map(process)).toBeLessThan(before[1]);
  });

  it("mmap_rnd_bits has the bounds of the architecture, and spreads mappings further", () => {
    const riscv = new Kernel({ arch: RISCV64, ram: 16 * 2 ** 20, randomize: true, seed: 5 });
    riscv.mount("/proc", procFs(riscv));
    process = riscv.spawn();
    expect(put("mmap_rnd_bits", "17")).toBe("EINVAL 18");
    expect(put("mmap_rnd_bits", "25")).toBe("EINVAL 18");
    const spread = (): number => {
      const bases = Array.from({ length: 20 }, () => riscv.spawn().mm.mmapBase);
      return Math.max(...bases) - Math.min(...bases);
    };
    expect(spread()).toBeLessThanOrEqual(2 ** 18 * PAGE);
    expect(put("mmap_rnd_bits", "24")).toBe("2 24");
    expect(spread()).toBeGreaterThan(2 ** 18 * PAGE);
  });

  it("drop_caches gives up clean pages of files that nobody maps", () => {
    const fake = new FakeFile(kernel.phys, new Uint8Array(8 * PAGE));
    const fd = process.files.alloc(fake.open(), /* cloexec */ false, 1024);
    process.read(fd, new Uint8Array(4 * PAGE));
    process.pwrite(fd, new Uint8Array([1]), 1, 2 * PAGE);
    const memory = process.memfd_create("kept");
    process.write(memory, new Uint8Array(PAGE));
    const cached = (): string =>
      Array.from({ length: 4 }, (_, i) => (fake.mapping.pages.load(i) === 0 ? "." : "x")).join("");
    put("drop_caches", "2");
    expect(cached()).toBe("xxxx");
    // What storage does not have yet stays.
    put("drop_caches", "1");
    expect(cached()).toBe("..x.");
    filemapWriteAndWaitRange(fake.mapping, 0, Number.MAX_SAFE_INTEGER);
    put("drop_caches", "3");
    expect(cached()).toBe("....");
    const byte = new Uint8Array(1);
    expect(process.pread(memory, byte, 1, 0)).toBe(1);
    const vmstat = readAll(process, "/proc/vmstat");
    expect(vmstat).toContain("\ndrop_pagecache 2\n");
    expect(vmstat).toContain("\ndrop_slab 2\n");
  });
});

it("takes what there is nothing to obey with, as Linux does", () => {
  const said = (name: string): string[] => ["-1", "101", "d", "1x"].map((text) => put(name, text));
  expect(said("zone_reclaim_mode")).toEqual(["EINVAL 0", "3 101", "EINVAL 101", "EINVAL 101"]);
  expect(said("min_unmapped_ratio")).toEqual(["EINVAL 1", "EINVAL 1", "EINVAL 1", "EINVAL 1"]);
  expect(said("min_slab_ratio")).toEqual(["EINVAL 5", "EINVAL 5", "EINVAL 5", "EINVAL 5"]);
  expect(said("stat_interval")).toEqual(["2 -1", "3 101", "EINVAL 101", "EINVAL 101"]);
  expect(said("page_lock_unfairness")).toEqual(["EINVAL 5", "3 101", "EINVAL 101", "EINVAL 101"]);
  expect(said("numa_zonelist_order")).toEqual(["EINVAL Node", "EINVAL Node", "1 Node", "EINVAL Node"]);
  expect(put("stat_refresh", "1")).toBe("1 ");
});

/** As the host said it; lowmem_reserve_ratio has a number for each of five zones there. */
const KEPT: Readonly<Record<string, readonly Row[]>> = {
  vfs_cache_pressure: [
    ["-1", "EINVAL 100"],
    ["90 7", "3 90"],
    [" ", "EINVAL 90"],
    ["0x64", "4 100"],
    ["2147483648", "EINVAL 100"],
  ],
  vfs_cache_pressure_denom: [
    ["99", "EINVAL 100"],
    ["2147483647", "10 2147483647"],
  ],
  watermark_boost_factor: [
    ["-1", "EINVAL 15000"],
    ["2147483647", "10 2147483647"],
  ],
  dirtytime_expire_seconds: [
    ["-1", "EINVAL 43200"],
    ["2147483647", "10 2147483647"],
  ],
  numa_stat: [
    ["2", "EINVAL 1"],
    ["0", "1 0"],
  ],
  percpu_pagelist_high_fraction: [
    ["7", "EINVAL 0"],
    ["-1", "EINVAL 0"],
    ["8", "1 8"],
    ["0", "1 0"],
  ],
  defrag_mode: [
    ["2", "EINVAL 0"],
    ["-1", "EINVAL 0"],
  ],
  hugetlb_shm_group: [
    ["-1", "2 -1"],
    ["2147483648", "EINVAL -1"],
    ["0", "1 0"],
  ],
  hugetlb_optimize_vmemmap: [
    ["2", "1 1"],
    ["-1", "2 1"],
    ["y", "EINVAL 1"],
    ["0", "1 0"],
  ],
  nr_overcommit_hugepages: [
    ["-1", "EINVAL 0"],
    ["0 3", "2 0"],
    ["7", "1 7"],
  ],
  nr_hugepages: [["5", "1 0"]],
  nr_hugepages_mempolicy: [["5", "1 0"]],
  panic_on_oom: [
    ["3", "EINVAL 0"],
    ["-1", "EINVAL 0"],
    ["2", "1 2"],
  ],
  lowmem_reserve_ratio: [
    ["32 0", "4 32\t0"],
    ["64", "2 64\t0"],
    ["32 0 7", "5 32\t0"],
    ["16 x", "3 16\t0"],
    ["-5 1", "4 0\t1"],
    ["x", "1 0\t1"],
    ["8\n", "2 8\t1"],
  ],
};

describe("what is kept", () => {
  for (const [name, rows] of Object.entries(KEPT)) {
    it(name, () => {
      expect(rows.map(([text]) => [text, put(name, text)])).toEqual(rows);
    });
  }
});

it("looks for huge pages in vain, and lets a group have segments of them", () => {
  put("nr_hugepages", "5");
  put("nr_hugepages", "0");
  expect(readAll(process, "/proc/vmstat")).toContain("\nhtlb_buddy_alloc_fail 1\n");
  const member = kernel.spawn({ uid: 1000, gid: 77 });
  const make = (): number =>
    member.shmget(IPC_PRIVATE, PAGE, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0o600);
  expect(make).toThrow("EPERM");
  put("hugetlb_shm_group", "77");
  expect(make()).toBeGreaterThanOrEqual(0);
});

it("/sys/kernel/mm/hugepages has the same pools, by size", () => {
  kernel.mount("/sys", sysFs(kernel));
  const pool = "/sys/kernel/mm/hugepages/hugepages-2048kB";
  const said = (file: string, text: string): string => {
    let taken: unknown;
    try {
      taken = writeText(process, `${pool}/${file}`, text);
    } catch (error) {
      taken = (error as { code?: string }).code;
    }
    return `${taken} ${readAll(process, `${pool}/${file}`).trimEnd()}`;
  };
  const texts = ["-1", "x", "0 1", "", "0x0", "7\n"];
  expect(texts.map((text) => said("nr_overcommit_hugepages", text))).toEqual([
    "EINVAL 0",
    "EINVAL 0",
    "EINVAL 0",
    "0 0",
    "EINVAL 0",
    "2 7",
  ]);
  expect(readAll(process, "/proc/sys/vm/nr_overcommit_hugepages")).toBe("7\n");
  expect(said("nr_hugepages", "5")).toBe("1 0");
  expect(readAll(process, "/proc/vmstat")).toContain("\nhtlb_buddy_alloc_fail 1\n");
  expect(readAll(process, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages")).toBe("0\n");
});

it("numa_stat: no page is counted while it is off, and then from the start", () => {
  const hits = (): number => Number(/^numa_hit (\d+)$/m.exec(readAll(process, "/proc/vmstat"))?.[1]);
  expect(hits()).toBeGreaterThan(0);
  put("numa_stat", "0");
  expect(hits()).toBe(0);
  put("numa_stat", "1");
  expect(hits()).toBe(0);
  const at = process.mmap(0, 4 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS);
  for (let page = 0; page < 4; page++) process.storeU8(at + page * PAGE, 1);
  expect(hits()).toBeGreaterThanOrEqual(4);
});

describe("vm.memfd_noexec", () => {
  const made = (flags: number): string => {
    try {
      const fd = process.memfd_create("x", flags);
      return `${(process.fstat(fd).mode & 0o777).toString(8)} ${process.fcntl(fd, F_GET_SEALS)}`;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it("decides of memory files that don't say whether they can be executed", () => {
    const all = [0, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL, MFD_EXEC];
    expect(all.map(made)).toEqual(["777 1", "777 0", "666 32", "777 1"]);
    expect(put("memfd_noexec", "1")).toBe("1 1");
    expect(all.map(made)).toEqual(["666 32", "666 32", "666 32", "777 1"]);
    expect(put("memfd_noexec", "2")).toBe("1 2");
    expect(all.map(made)).toEqual(["666 32", "666 32", "666 32", "EACCES"]);
    expect(put("memfd_noexec", "3")).toBe("EINVAL 2");
  });
});

it("settings are spliced out and in, as they are read and written", () => {
  const setting = process.open("/proc/sys/vm/max_map_count", O_RDWR);
  const [reading, writing] = process.pipe2();
  const room = new Uint8Array(100);
  const held = (): string => Buffer.from(room.subarray(0, process.read(reading, room))).toString();
  expect([process.splice(setting, null, writing, null, 100), held()]).toEqual([6, "65530\n"]);
  expect([process.sendfile(writing, setting, 0, 100), held()]).toEqual([6, "65530\n"]);
  process.write(writing, new TextEncoder().encode("4711\n"));
  expect(process.splice(reading, null, setting, 0, 100)).toBe(5);
  expect(readAll(process, "/proc/sys/vm/max_map_count")).toBe("4711\n");
  expect([process.splice(setting, 0, writing, null, 3), held()]).toEqual([3, "471"]);
});

/** What a host's kernel said: the texts, each at its place in the file, and what is read then. */
const PLACES: readonly (readonly [
  name: string,
  writes: readonly (readonly [string, number])[],
  after: string,
])[] = [
  [
    "kernel/hostname",
    [
      ["ab", 0],
      ["cd", 2],
    ],
    "abcd",
  ],
  [
    "kernel/hostname",
    [
      ["ab", 0],
      ["X", 1],
    ],
    "aX",
  ],
  [
    "kernel/hostname",
    [
      ["aX", 0],
      ["YZ", 2],
      ["YZ", 9],
    ],
    "aXYZ",
  ],
  [
    "kernel/hostname",
    [
      ["ab\ncd", 0],
      ["e", 5],
    ],
    "ab",
  ],
  [
    "kernel/hostname",
    [
      ["a".repeat(70), 0],
      ["q", 64],
      ["q", 63],
      ["r", 65],
    ],
    `${"a".repeat(63)}q`,
  ],
  [
    "kernel/hostname",
    [
      ["ab", 0],
      ["k\0l", 0],
    ],
    "k",
  ],
  [
    "vm/overcommit_ratio",
    [
      ["60", 0],
      ["70", 2],
      ["x", 1],
    ],
    "60",
  ],
  [
    "vm/overcommit_kbytes",
    [
      ["1000", 0],
      ["200", 4],
      ["x", 1],
    ],
    "1000",
  ],
  [
    "kernel/sem",
    [
      ["1 2", 0],
      ["3", 3],
      ["zz", 2],
    ],
    "1\t2\t500\t32000",
  ],
];

it.each(PLACES)("%s, written at its places: %j", (name, writes, after) => {
  const path = `/proc/sys/${name}`;
  const fd = process.open(path, O_RDWR);
  for (const [text, at] of writes) {
    const bytes = new TextEncoder().encode(text);
    expect(process.pwrite(fd, bytes, bytes.length, at)).toBe(bytes.length);
  }
  expect(readAll(process, path).trimEnd()).toBe(after);
});
