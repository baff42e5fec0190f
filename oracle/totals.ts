/**
 * What /proc says of a process as a whole: statm and smaps_rollup. The executor's own areas are in these sums, and the pages
 * of files on disk, which come with readahead: so it is what the sums have beyond the lines of smaps that is compared.
 */
import { hasCertainResidency, type Mapping } from "./maps.ts";

const PAGE_KB = 4;
/** Parts of Pss, which has fractions of pages: whole numbers only where nobody shares a page. */
const SHARES: readonly string[] = ["Pss_Anon", "Pss_File", "Pss_Shmem"];
/** They are sums of fractions, rounded once here, and once for each mapping there. */
const ROUNDED: ReadonlySet<string> = new Set(["Pss", "Pss_Dirty", "SwapPss", "Locked", ...SHARES]);

export interface WholeProcess {
  readonly statm: string;
  readonly rollup: string;
  readonly smaps: string;
  /** The mappings that are not the executor's own. */
  readonly mappings: readonly Mapping[];
  /** Whether it is the only process. */
  readonly isAlone: boolean;
}

/** Figures by name. */
export function totals({ statm, rollup, smaps, mappings, isAlone }: WholeProcess): Map<string, string> {
  const found = new Map<string, string>();
  const starts = new Set(mappings.map(({ start }) => start));
  const { sums, own } = sumsOf(smaps, starts);
  const sum = (name: string): number => sums.get(name) ?? 0;
  const [size, resident, shared, , lib, data, dt] = statm.trim().split(" ").map(Number);
  found.set("statm", `size ${size}, lib ${lib}, data ${data}, dt ${dt}`);
  found.set("statm resident beyond Rss", kb(resident * PAGE_KB - sum("Rss")));
  found.set("statm shared beyond Rss", kb(shared * PAGE_KB - sum("Rss") + sum("Anonymous")));
  const [header, ...lines] = rollup.trimEnd().split("\n");
  found.set("smaps_rollup", header.replace(/ +/g, " "));
  const hasCertainShares = isAlone && mappings.every(hasCertainResidency);
  for (const line of lines) {
    const [name, value] = line.split(":");
    const figure = Number.parseInt(value, 10);
    if (!ROUNDED.has(name)) found.set(`smaps_rollup ${name} beyond smaps`, kb(figure - sum(name)));
    else if (SHARES.includes(name) && hasCertainShares)
      found.set(`smaps_rollup ${name}`, kb(figure - (own.get(name) ?? 0)));
  }
  return found;
}

/** Of each line of smaps the sum over all mappings, and what the executor's own have in each share. */
function sumsOf(
  smaps: string,
  starts: ReadonlySet<number>,
): { sums: Map<string, number>; own: Map<string, number> } {
  const sums = new Map<string, number>();
  const own = new Map<string, number>();
  let isOwn = false;
  let resident = 0;
  const add = (to: Map<string, number>, name: string, figure: number): void => {
    to.set(name, (to.get(name) ?? 0) + figure);
  };
  for (const line of smaps.split("\n")) {
    const [, name, value] = /^(\w+): +(\d+) kB$/.exec(line) ?? [];
    if (name === undefined) {
      if (/^[0-9a-f]+-/.test(line)) isOwn = !starts.has(Number.parseInt(line, 16));
      continue;
    }
    const figure = Number(value);
    add(sums, name, figure);
    if (name === "Rss") resident = figure;
    if (name !== "Anonymous" || !isOwn) continue;
    // Its data is anonymous, and its code lies in memory alone.
    add(own, "Pss_Anon", figure);
    add(own, "Pss_Shmem", resident - figure);
  }
  return { sums, own };
}

function kb(figure: number): string {
  return `${figure} kB`;
}
