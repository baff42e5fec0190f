/**
 * One program's life with swap, step by step, beside what Linux 6.18.44 answered to the same steps on a zram device: the
 * state of each page (P present, S in swap, - neither; 1 if mincore calls it resident), the figures of smaps in kB, and
 * the faults of each access.
 */
import { describe, expect, it } from "vitest";
import {
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  type Process,
  procFs,
  ZramSwapDevice,
} from "../../../src/mm/index.ts";
import { zlibCompressor } from "../../../src/storage/node/index.ts";
import { ANON, BASE, boot, P, RW, SHARED_ANON } from "../core/rig.ts";

const PAGES = 16;

const RECORDED = `
written                      P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 Rss:64 Private_Dirty:64
paged out                    S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 Swap:64 SwapPss:64
pswpout 16
read 5                       S0 S0 S0 S0 S0 P1 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 Rss:4 Private_Clean:4 Swap:60 SwapPss:60
maj 1 ra 0 in 1
read 6: maj 1 min 0
wrote 9                      S0 S0 S0 S0 S0 P1 P1 S0 S0 P1 S0 S0 S0 S0 S0 S0 Rss:12 Private_Clean:8 Private_Dirty:4 Swap:52 SwapPss:52
wrote 12                     S0 S0 S0 S0 S0 P1 P1 S0 S0 P1 S0 S0 P1 S0 S0 S0 Rss:16 Private_Clean:8 Private_Dirty:8 Swap:48 SwapPss:48
maj 3 ra 0 in 4
dontneed 14                  S0 S0 S0 S0 S0 P1 P1 S0 S0 P1 S0 S0 P1 S0 -0 S0 Rss:16 Private_Clean:8 Private_Dirty:8 Swap:44 SwapPss:44
paged out again              S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 -0 S0 Swap:60 SwapPss:60
pswpout 4
child                        S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 S0 -0 S0 Swap:60 SwapPss:30
child write 0: maj 1 min 0
child read 2: maj 0 min 1
child write 2: maj 0 min 1
child after                  P1 S1 P1 S1 S1 S0 S0 S0 S0 S0 S0 S0 S0 S0 -0 S0 Rss:8 Private_Dirty:8 Swap:52 SwapPss:26
parent after child           S1 S1 S1 S1 S1 S0 S0 S0 S0 S0 S0 S0 S0 S0 -0 S0 Swap:60 SwapPss:60
parent write 0: maj 0 min 1
parent wrote 0               P1 S1 S1 S1 S1 S0 S0 S0 S0 S0 S0 S0 S0 S0 -0 S0 Rss:4 Private_Dirty:4 Swap:56 SwapPss:56
parent write 2: maj 0 min 1
willneed                     P1 S1 P1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 S1 -0 S1 Rss:8 Private_Dirty:8 Swap:52 SwapPss:52
read all: maj 0 min 14
mlocked                      P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 Rss:64 Private_Dirty:64
shmem out                    -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 Swap:64
shmem read 5: maj 1 min 0
shmem read 5                 -0 -0 -0 -0 -0 P1 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 Rss:4 Private_Dirty:4 Swap:60
shmem read 4: maj 1 min 0
shmem read 4                 -0 -0 -0 -0 P1 P1 -0 -0 -0 -0 -0 -0 -0 -0 -0 -0 Rss:8 Private_Dirty:8 Swap:56
shmem willneed               -1 -1 -1 -1 P1 P1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 Rss:8 Private_Dirty:8 Swap:56
shmem read all: maj 0 min 14
shmem all                    P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 P1 Rss:64 Private_Dirty:64
`.trim();

class Recorder {
  readonly lines: string[] = [];
  readonly process: Process;
  readonly #vector: number;

  constructor(process: Process) {
    this.process = process;
    this.#vector = process.mmap(0, P, RW, SHARED_ANON);
    process.storeU8(this.#vector, 0);
  }

  show(process: Process, what: string, at: number): void {
    process.mincore(at, PAGES * P, this.#vector);
    const resident = process.readBytes(this.#vector, PAGES);
    const pagemap = this.#file(process, "pagemap", (at / P) * 8, PAGES * 8);
    const states = [...resident].map((bit, page) => {
      const high = new DataView(pagemap.buffer).getUint32(page * 8 + 4, true);
      return `${high >= 2 ** 31 ? "P" : (high & (2 ** 30)) !== 0 ? "S" : "-"}${bit & 1}`;
    });
    const smaps = new TextDecoder().decode(this.#file(process, "smaps", 0, 2 ** 16));
    const entry = smaps.slice(smaps.indexOf(at.toString(16))).split("VmFlags")[0];
    const figures = [...entry.matchAll(/^(Rss:|Shared_\w+:|Private_[DC]\w+:|Swap\w*:) +([1-9]\d*) kB/gm)].map(
      ([, name, kb]) => `${name}${kb}`,
    );
    this.lines.push([what.padEnd(28), ...states, ...figures].join(" "));
  }

  faults(process: Process, what: string, act: () => void): void {
    const { majFlt, minFlt } = process;
    act();
    this.lines.push(`${what}: maj ${process.majFlt - majFlt} min ${process.minFlt - minFlt}`);
  }

  #file(process: Process, name: string, from: number, length: number): Uint8Array {
    const fd = process.open(`/proc/self/${name}`, 0);
    const bytes = new Uint8Array(length);
    let done = 0;
    for (;;) {
      const part = new Uint8Array(Math.min(4096, length - done));
      const got = part.length === 0 ? 0 : process.pread(fd, part, part.length, from + done);
      if (got === 0) break;
      bytes.set(part.subarray(0, got), done);
      done += got;
    }
    process.close(fd);
    return bytes.slice(0, done);
  }
}

describe("a program with swap, beside Linux", () => {
  it("sees the same states, figures and faults", () => {
    const kernel = boot({ ram: 32 * 2 ** 20 });
    kernel.mount("/proc", procFs(kernel));
    kernel.swapOn(new ZramSwapDevice(4096, zlibCompressor), { name: "/dev/zram0", mkswap: {} });
    const process = kernel.spawn();
    const recorder = new Recorder(process);
    const { lines } = recorder;
    const at = process.mmap(BASE, PAGES * P, RW, ANON);
    const show = (what: string): void => recorder.show(process, what, at);
    const faults = (what: string, act: () => void): void => recorder.faults(process, what, act);
    const stat = (): Record<string, number> => kernel.vmstat();
    for (let page = 0; page < PAGES; page++) process.storeU8(at + page * P, page + 1);
    show("written");
    let { pswpout } = stat();
    process.madvise(at, PAGES * P, MADV_PAGEOUT);
    show("paged out");
    lines.push(`pswpout ${stat().pswpout - pswpout}`);
    const begin = stat();
    let { majFlt } = process;
    const sums = (): string =>
      `maj ${process.majFlt - majFlt} ra ${stat().swap_ra - begin.swap_ra} in ${stat().pswpin - begin.pswpin}`;
    process.loadU8(at + 5 * P);
    show("read 5");
    lines.push(sums());
    majFlt = process.majFlt;
    faults("read 6", () => process.loadU8(at + 6 * P));
    process.storeU8(at + 9 * P, 77);
    show("wrote 9");
    process.storeU8(at + 12 * P, 77);
    show("wrote 12");
    lines.push(sums());
    process.madvise(at + 14 * P, P, MADV_DONTNEED);
    show("dontneed 14");
    ({ pswpout } = stat());
    process.madvise(at, PAGES * P, MADV_PAGEOUT);
    show("paged out again");
    lines.push(`pswpout ${stat().pswpout - pswpout}`);
    const child = process.fork();
    recorder.show(child, "child", at);
    recorder.faults(child, "child write 0", () => child.storeU8(at, 9));
    recorder.faults(child, "child read 2", () => child.loadU8(at + 2 * P));
    recorder.faults(child, "child write 2", () => child.storeU8(at + 2 * P, 4));
    recorder.show(child, "child after", at);
    child.exit(0);
    show("parent after child");
    faults("parent write 0", () => process.storeU8(at, 8));
    show("parent wrote 0");
    faults("parent write 2", () => process.storeU8(at + 2 * P, 8));
    process.madvise(at, PAGES * P, MADV_WILLNEED);
    show("willneed");
    const all = (from: number) => (): void => {
      for (let page = 0; page < PAGES; page++) process.loadU8(from + page * P);
    };
    faults("read all", all(at));
    process.mlock(at, PAGES * P);
    show("mlocked");
    const shared = process.mmap(BASE + 2 ** 21, PAGES * P, RW, SHARED_ANON);
    const showShared = (what: string): void => recorder.show(process, what, shared);
    for (let page = 0; page < PAGES; page++) process.storeU8(shared + page * P, page + 1);
    process.madvise(shared, PAGES * P, MADV_PAGEOUT);
    showShared("shmem out");
    faults("shmem read 5", () => process.loadU8(shared + 5 * P));
    showShared("shmem read 5");
    faults("shmem read 4", () => process.loadU8(shared + 4 * P));
    showShared("shmem read 4");
    process.madvise(shared, PAGES * P, MADV_WILLNEED);
    showShared("shmem willneed");
    faults("shmem read all", all(shared));
    showShared("shmem all");
    expect(lines.join("\n")).toBe(RECORDED);
  });
});
