/**
 * The names in /proc/vmstat and zoneinfo, in the order in which Linux 6.18 prints them (vmstat_text, mm/vmstat.c), as a
 * kernel with the configuration in docs/configuration.md has them. What Faultline does not count is 0 there.
 */
function names(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Counters of a zone; those that Linux also keeps for the node have "zone_" in their names. */
export const ZONE_ITEMS: readonly string[] = names(`
  nr_free_pages nr_free_pages_blocks nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file
  nr_zone_active_file nr_zone_unevictable nr_zone_write_pending nr_mlock nr_free_cma
`);

export const NUMA_ITEMS: readonly string[] = names(`
  numa_hit numa_miss numa_foreign numa_interleave numa_local numa_other
`);

/** Counters of a memory node. */
export const NODE_ITEMS: readonly string[] = names(`
  nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable nr_slab_reclaimable
  nr_slab_unreclaimable nr_isolated_anon nr_isolated_file workingset_nodes workingset_refault_anon
  workingset_refault_file workingset_activate_anon workingset_activate_file workingset_restore_anon
  workingset_restore_file workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback
  nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages nr_file_pmdmapped
  nr_anon_transparent_hugepages nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied nr_written
  nr_throttled_written nr_kernel_misc_reclaimable nr_foll_pin_acquired nr_foll_pin_released nr_kernel_stack
  nr_page_table_pages nr_sec_page_table_pages nr_swapcached pgdemote_kswapd pgdemote_direct
  pgdemote_khugepaged pgdemote_proactive nr_hugetlb nr_balloon_pages nr_kernel_file_pages
`);

/** Thresholds, counters of the whole, and events. */
export const EVENT_ITEMS: readonly string[] = names(`
  nr_dirty_threshold nr_dirty_background_threshold nr_memmap_pages nr_memmap_boot_pages pgpgin pgpgout pswpin
  pswpout pgalloc_normal pgalloc_movable allocstall_normal allocstall_movable pgskip_normal pgskip_movable
  pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse pgsteal_kswapd
  pgsteal_direct pgsteal_khugepaged pgsteal_proactive pgscan_kswapd pgscan_direct pgscan_khugepaged
  pgscan_proactive pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file
  zone_reclaim_success zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal
  kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab
  oom_kill pgmigrate_success pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split
  htlb_buddy_alloc_success htlb_buddy_alloc_fail unevictable_pgs_culled unevictable_pgs_scanned
  unevictable_pgs_rescued unevictable_pgs_mlocked unevictable_pgs_munlocked unevictable_pgs_cleared
  unevictable_pgs_stranded swap_ra swap_ra_hit swpin_zero swpout_zero
`);

/** Events of x86-64 alone, behind the others. */
export const X86_ITEMS: readonly string[] = names(`
  direct_map_level2_splits direct_map_level3_splits direct_map_level2_collapses direct_map_level3_collapses
`);
