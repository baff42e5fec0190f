/** What smaps and numa_maps say of each mapping, as far as it follows from what the program did. */
import { hasCertainResidency, type Mapping } from "./maps.ts";

const HEADER = /^([0-9a-f]+)-[0-9a-f]+ /;
/** Where pages come and go with readahead and write-back. */
const OF_ALL: ReadonlySet<string> = new Set(["Size", "Anonymous", "Swap", "LazyFree", "VmFlags"]);
/** Of the processor or of how the host is set up. */
const OF_NONE: ReadonlySet<string> = new Set(["ProtectionKey", "THPeligible"]);

/** What is not compared where memory was locked: see Known.hasLocks. */
const OF_UNLOCKED: ReadonlySet<string> = new Set(["Referenced", "LazyFree"]);

export interface Known {
  /** By their start. */
  readonly mappings: ReadonlyMap<number, Mapping>;
  /**
   * Whether memory is locked anywhere: pages on their way to the unevictable list wait in a batch, and whether an access
   * meanwhile makes them referenced or active depends on how full that is.
   */
  readonly hasLocks: boolean;
  /** Whether clear_refs was written: a use that the processor's TLB hides is not noted again. */
  readonly hasCleared: boolean;
}

/** By start of the mapping, what it costs: one text that can be compared. Only for the known mappings. */
export function costs(
  smaps: string,
  numaMaps: string,
  { mappings, hasLocks, hasCleared }: Known,
): Map<number, string> {
  const found = new Map<number, string>();
  let start = 0;
  let isKnown = false;
  let isCertain = false;
  let words = "";
  const finish = (): void => {
    if (isKnown) found.set(start, words);
  };
  for (const line of smaps.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0 || HEADER.test(line)) {
      finish();
      start = Number.parseInt(line, 16);
      const mapping = mappings.get(start);
      isKnown = mapping !== undefined;
      isCertain = mapping !== undefined && hasCertainResidency(mapping);
      words = "";
      continue;
    }
    if (!isKnown) continue;
    const name = line.slice(0, colon);
    if (OF_NONE.has(name) || (hasLocks && OF_UNLOCKED.has(name))) continue;
    if (name === "Referenced" && hasCleared) continue;
    if (!(isCertain || OF_ALL.has(name))) continue;
    const value = line.slice(colon + 1).trim();
    if (value !== "0 kB") words += `${name} ${value}, `;
  }
  finish();
  for (const line of numaMaps.split("\n")) {
    const at = Number.parseInt(line, 16);
    const mapping = mappings.get(at);
    if (mapping === undefined || !hasCertainResidency(mapping)) continue;
    const counts = line.split(" ").filter((word) => /^(anon|dirty|mapped|mapmax|swapcache|N0)=/.test(word));
    found.set(at, `${found.get(at)}numa ${counts.join(" ")}`);
  }
  return found;
}
