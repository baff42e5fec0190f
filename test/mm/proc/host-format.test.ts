/** The host's own files and Faultline's have the same names in the same order and columns; only the figures differ. */
import { lstatSync, readFileSync } from "node:fs";
import os from "node:os";
import { describe, expect, it } from "vitest";
import { Kernel, procFs, sysFs, X86_64 } from "../../../src/mm/index.ts";
import { readAll } from "./steps.ts";

/** Names that the host's kernel has and docs/configuration.md leaves out. */
const LEFT_OUT: readonly RegExp[] = [
  /^(thp_(?!migration)|zswp|balloon_|compact_|pgpromote_|numa_(pte|huge_pte|hint|pages)|nr_(zspages|iommu_pages))/,
  /^(ksm_swpin_copy|cow_ksm)$/,
  /_(dma|dma32|device)$/,
  /^(Zswap|Zswapped|(Anon|Shmem|File)HugePages|(Shmem|File)PmdMapped)$/,
  // Only where the processor has pages of 1 GiB.
  /^DirectMap1G$/,
  /^(Seccomp|Seccomp_filters|Mems_allowed|Mems_allowed_list|x86_Thread_features)$/,
];
const isBuilt = (name: string): boolean => !LEFT_OUT.some((pattern) => pattern.test(name));

const isJudge = os.platform() === "linux" && os.arch() === "x64" && os.release().startsWith("6.18.");

describe.skipIf(!isJudge)(
  `formats${isJudge ? "" : " (skipped: the host does not run Linux 6.18 on x86-64)"}`,
  () => {
    const kernel = new Kernel({ arch: X86_64 });
    kernel.mount("/proc", procFs(kernel));
    kernel.mount("/sys", sysFs(kernel));
    const process = kernel.spawn({ comm: "main" });

    const both = (path: string): [guest: string[], host: string[]] => [
      readAll(process, path).split("\n"),
      readFileSync(path, "utf8").split("\n"),
    ];
    /** A line without its figures; what they are right-aligned in stays. */
    const shape = (line: string): string =>
      line.replace(/ *\b\d+( kB)?$/, (figure) => `<${Math.max(figure.length, 12)}>`);
    const label = (line: string): string => line.split(/[:\s]/)[0];

    it("meminfo", () => {
      const [guest, host] = both("/proc/meminfo");
      const builtIn = (line: string): boolean => isBuilt(label(line));
      expect(guest.filter(builtIn).map(shape)).toEqual(host.filter(builtIn).map(shape));
    });

    it("meminfo, numastat and vmstat of the memory node", () => {
      const [guest, host] = both("/sys/devices/system/node/node0/meminfo");
      const builtIn = (line: string): boolean => isBuilt(label(line.slice("Node 0 ".length)));
      expect(guest.map(shape)).toEqual(host.filter(builtIn).map(shape));
      for (const name of ["numastat", "vmstat"]) {
        const [ours, theirs] = both(`/sys/devices/system/node/node0/${name}`);
        expect(ours.map(label)).toEqual(theirs.map(label).filter(isBuilt));
      }
    });

    it("vmstat", () => {
      const [guest, host] = both("/proc/vmstat");
      expect(guest.map(label)).toEqual(host.map(label).filter(isBuilt));
    });

    it("status, but for what each of the processors adds", () => {
      const [guest, host] = both("/proc/self/status");
      expect(guest.map(label)).toEqual(host.map(label).filter(isBuilt));
      const separators = (lines: string[]): string[] => lines.map((line) => line.replace(/[^:\t]+/g, "w"));
      expect(separators(guest).slice(16, 36)).toEqual(separators(host).slice(16, 36));
    });

    it("stat, statm, limits, swaps, smaps_rollup, zoneinfo", () => {
      const words = (path: string): number[] => both(path).map((lines) => lines[0].split(" ").length);
      for (const path of ["/proc/self/statm", "/proc/self/stat"]) expect(words(path)[0]).toBe(words(path)[1]);
      const [limits, hostLimits] = both("/proc/self/limits");
      expect(limits.map((line) => line.slice(0, 26))).toEqual(hostLimits.map((line) => line.slice(0, 26)));
      expect(limits.map((line) => line.slice(68))).toEqual(hostLimits.map((line) => line.slice(68)));
      const [swaps, hostSwaps] = both("/proc/swaps");
      expect(swaps[0]).toBe(hostSwaps[0]);
      const [rollup, hostRollup] = both("/proc/self/smaps_rollup");
      expect(rollup.slice(1).map(shape)).toEqual(hostRollup.slice(1).map(shape));
      const [zone, hostZone] = both("/proc/zoneinfo");
      const first = hostZone
        .slice(0, hostZone.findIndex((line) => line.includes("cpu: 0")) + 6)
        .filter((line) => isBuilt(line.trim().split(" ")[0]));
      const tidy = (line: string): string =>
        line
          .replace(/[\d(), ]+$/, "")
          .replace("DMA", "Normal")
          .replace(/e +N/, "e N");
      expect(zone.slice(0, first.length).map(tidy)).toEqual(first.map(tidy));
      const movable = (lines: string[]): string[] => {
        const start = lines.findIndex((line) => line.endsWith("zone  Movable"));
        return lines.slice(start, start + 12).map(tidy);
      };
      expect(movable(zone)).toEqual(movable(hostZone));
    });

    it("uptime, loadavg, stat, fdinfo, auxv, oom_adj and the modes of files", () => {
      const words = (text: string): string => text.replace(/\d+/g, "0");
      for (const path of ["/proc/uptime", "/proc/loadavg"]) {
        const [[guest], [host]] = both(path);
        expect(words(guest)).toBe(words(host));
      }
      const [guest, host] = both("/proc/stat");
      expect(guest.map(label)).toEqual(host.map(label).filter((name) => name !== "cpu1"));
      expect(guest[0].split(" ").length).toBe(host[0].split(" ").length);
      const modes = (of: (path: string) => number): unknown[] =>
        NAMES.map((name) => [name, (of(`/proc/self/${name}`) & 0o7777).toString(8)]);
      expect(modes((path) => process.lstat(path).mode)).toEqual(modes((path) => lstatSync(path).mode));
      expect(readAll(process, "/proc/self/oom_adj")).toBe("0\n");
      expect(readAll(process, "/proc/self/personality")).toMatch(/^[0-9a-f]{8}\n$/);
    });
  },
);

/** Files of a process that both have. */
const NAMES: readonly string[] = (
  "auxv cgroup clear_refs cmdline comm cwd environ exe fd fdinfo limits map_files maps mem mountinfo mounts numa_maps " +
  "oom_adj oom_score oom_score_adj pagemap personality root smaps smaps_rollup stat statm status task"
).split(" ");
