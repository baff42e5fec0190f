/**
 * The seam between when memory is reclaimed and what is taken: vmscan.ts decides the first, one of two policies the
 * second, chosen at boot.
 */
import type { ScanControl } from "./scan-control.ts";

export interface ReclaimPolicy {
  /** Takes pages of the target and of the groups in it, as much as `sc.priority` says (shrink_node). */
  shrinkNode(sc: ScanControl): void;
  /** Done by kswapd before each round: lets pages age that nobody reclaims (kswapd_age_node). */
  ageNode(sc: ScanControl): void;
}
