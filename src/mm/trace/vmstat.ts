/**
 * The kernel's event and state counters under their names in /proc/vmstat (mm/vmstat.c).
 *
 * One Float64Array indexed by the constants below: counting allocates nothing and is exact to 2^53. State counters
 * (NR_…) rise and fall and must equal a recount of the state they count; event counters (PG…) only rise.
 */
const NAMES = [
  "nr_free_pages",
  "nr_inactive_anon",
  "nr_active_anon",
  "nr_inactive_file",
  "nr_active_file",
  "nr_unevictable",
  "nr_mlock",
  "nr_anon_pages",
  "nr_mapped",
  "nr_file_pages",
  "nr_dirty",
  "nr_writeback",
  "nr_shmem",
  "nr_page_table_pages",
  "nr_dirtied",
  "nr_written",
  "pgpgin",
  "pgpgout",
  "pswpin",
  "pswpout",
  "pgalloc_normal",
  "pgfree",
  "pgactivate",
  "pgdeactivate",
  "pgfault",
  "pgmajfault",
  "pgscan_direct",
  "pgscan_file",
  "pgsteal_direct",
  "pgsteal_file",
  "allocstall_normal",
  "oom_kill",
  "unevictable_pgs_culled",
  "unevictable_pgs_rescued",
  "unevictable_pgs_mlocked",
  "unevictable_pgs_munlocked",
  "pglazyfree",
  "pglazyfreed",
  "nr_vmscan_write",
  "workingset_nodes",
  "workingset_refault_anon",
  "workingset_refault_file",
  "workingset_activate_anon",
  "workingset_activate_file",
  "workingset_restore_anon",
  "workingset_restore_file",
  "workingset_nodereclaim",
  "pgrefill",
  "pgscan_kswapd",
  "pgsteal_kswapd",
  "pgscan_anon",
  "pgsteal_anon",
  "pgscan_proactive",
  "pgsteal_proactive",
  "pageoutrun",
  "kswapd_low_wmark_hit_quickly",
  "kswapd_high_wmark_hit_quickly",
  "pgrotated",
  "nr_swapcached",
  "swap_ra",
  "swap_ra_hit",
  "swpin_zero",
  "swpout_zero",
  "drop_pagecache",
  "drop_slab",
  "htlb_buddy_alloc_fail",
  "unevictable_pgs_cleared",
  "nr_vmscan_immediate_reclaim",
  "pgmigrate_success",
  "pgmigrate_fail",
] as const;

export type VmStatName = (typeof NAMES)[number];
export const VMSTAT_NAMES: readonly VmStatName[] = NAMES;

export const NR_FREE_PAGES = 0;
export const NR_INACTIVE_ANON = 1;
export const NR_ACTIVE_ANON = 2;
export const NR_INACTIVE_FILE = 3;
export const NR_ACTIVE_FILE = 4;
export const NR_UNEVICTABLE = 5;
export const NR_MLOCK = 6;
export const NR_ANON_MAPPED = 7;
export const NR_FILE_MAPPED = 8;
export const NR_FILE_PAGES = 9;
export const NR_FILE_DIRTY = 10;
export const NR_WRITEBACK = 11;
export const NR_SHMEM = 12;
export const NR_PAGETABLE = 13;
export const NR_DIRTIED = 14;
export const NR_WRITTEN = 15;
export const PGPGIN = 16;
export const PGPGOUT = 17;
export const PSWPIN = 18;
export const PSWPOUT = 19;
export const PGALLOC = 20;
export const PGFREE = 21;
export const PGACTIVATE = 22;
export const PGDEACTIVATE = 23;
export const PGFAULT = 24;
export const PGMAJFAULT = 25;
export const PGSCAN_DIRECT = 26;
export const PGSCAN_FILE = 27;
export const PGSTEAL_DIRECT = 28;
export const PGSTEAL_FILE = 29;
export const ALLOCSTALL = 30;
export const OOM_KILL = 31;
export const UNEVICTABLE_PGCULLED = 32;
export const UNEVICTABLE_PGRESCUED = 33;
export const UNEVICTABLE_PGMLOCKED = 34;
export const UNEVICTABLE_PGMUNLOCKED = 35;
export const PGLAZYFREE = 36;
export const PGLAZYFREED = 37;
export const NR_VMSCAN_WRITE = 38;
export const WORKINGSET_NODES = 39;
export const WORKINGSET_REFAULT_ANON = 40;
export const WORKINGSET_REFAULT_FILE = 41;
export const WORKINGSET_ACTIVATE_ANON = 42;
export const WORKINGSET_ACTIVATE_FILE = 43;
export const WORKINGSET_RESTORE_ANON = 44;
export const WORKINGSET_RESTORE_FILE = 45;
export const WORKINGSET_NODERECLAIM = 46;
export const PGREFILL = 47;
export const PGSCAN_KSWAPD = 48;
export const PGSTEAL_KSWAPD = 49;
export const PGSCAN_ANON = 50;
export const PGSTEAL_ANON = 51;
export const PGSCAN_PROACTIVE = 52;
export const PGSTEAL_PROACTIVE = 53;
export const PAGEOUTRUN = 54;
export const KSWAPD_LOW_WMARK_HIT_QUICKLY = 55;
export const KSWAPD_HIGH_WMARK_HIT_QUICKLY = 56;
export const PGROTATED = 57;
export const NR_SWAPCACHE = 58;
export const SWAP_RA = 59;
export const SWAP_RA_HIT = 60;
export const SWPIN_ZERO = 61;
export const SWPOUT_ZERO = 62;
export const DROP_PAGECACHE = 63;
export const DROP_SLAB = 64;
export const HTLB_BUDDY_PGALLOC_FAIL = 65;
export const UNEVICTABLE_PGCLEARED = 66;
export const NR_VMSCAN_IMMEDIATE = 67;
export const PGMIGRATE_SUCCESS = 68;
export const PGMIGRATE_FAIL = 69;

export type VmStat = Float64Array;

export function newVmStat(): VmStat {
  return new Float64Array(NAMES.length);
}
