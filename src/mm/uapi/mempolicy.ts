/** Memory policy (include/uapi/linux/mempolicy.h). */

/** Where memory comes from: as if nothing had been said. */
export const MPOL_DEFAULT = 0;
/** From one node, or another where that has none. */
export const MPOL_PREFERRED = 1;
/** From these nodes alone. */
export const MPOL_BIND = 2;
/** From each of these nodes in turn. */
export const MPOL_INTERLEAVE = 3;
/** From the node of the processor that runs. */
export const MPOL_LOCAL = 4;
/** From these nodes, or others where they have none. */
export const MPOL_PREFERRED_MANY = 5;
/** As MPOL_INTERLEAVE, by the weights of the nodes. */
export const MPOL_WEIGHTED_INTERLEAVE = 6;
/** Number of modes. */
export const MPOL_MAX = 7;

/** The nodes are meant as they were given, whichever of them there are. */
export const MPOL_F_STATIC_NODES: number = 1 << 15;
/** The nodes are counted among those that there are. */
export const MPOL_F_RELATIVE_NODES: number = 1 << 14;
/** Pages may move to where they are used, within the policy. */
export const MPOL_F_NUMA_BALANCING: number = 1 << 13;
export const MPOL_MODE_FLAGS: number = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;

/** get_mempolicy: a node instead of a policy; what holds for an address; which nodes may be used at all. */
export const MPOL_F_NODE = 1;
export const MPOL_F_ADDR = 2;
export const MPOL_F_MEMS_ALLOWED = 4;

/** mbind: pages that lie elsewhere are an error. */
export const MPOL_MF_STRICT = 1;
/** mbind, move_pages: pages of this process alone move; those of others, too. */
export const MPOL_MF_MOVE = 2;
export const MPOL_MF_MOVE_ALL = 4;

/** How many nodes a mask can name (MAX_NUMNODES with CONFIG_NODES_SHIFT=10). */
export const MAX_NUMNODES = 1024;
