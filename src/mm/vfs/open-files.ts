/**
 * How many files are open in all, and how many descriptors lead to them (files_stat, alloc_empty_file).
 *
 * Linux lets users have a tenth of RAM in files (fs.file-max), root as many as RAM holds. Here neither takes of the RAM, so
 * nobody has more than the host can bear.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { capable, type Holder } from "./capability.ts";

/** At least so many, as in Linux (NR_FILE); and at most: with what is behind one a file takes 1.6 KiB of the host. */
const MIN_FILES = 8192;
const MAX_FILES = 32768;
/** Descriptors of all tables. */
const MAX_DESCRIPTORS = 2 ** 21;
const KIB_PER_FILE = 10;

export class OpenFiles {
  /** fs.file-max */
  max: number;
  /** Open files, and descriptors. */
  files = 0;
  descriptors = 0;

  constructor(phys: PhysicalMemory) {
    const kib = (phys.totalFrames * PAGE_SIZE) / 1024;
    this.max = Math.min(MAX_FILES, Math.max(MIN_FILES, Math.floor(kib / KIB_PER_FILE)));
  }

  /** Another file may be open. CAP_SYS_ADMIN is only bound by what nobody may have. */
  mayOpen(who: Holder): boolean {
    return this.files < (capable(who, CAP_SYS_ADMIN) ? MAX_FILES : Math.min(this.max, MAX_FILES));
  }

  /** So many more descriptors may be there. */
  mayHave(descriptors: number): boolean {
    return this.descriptors + descriptors <= MAX_DESCRIPTORS;
  }
}
