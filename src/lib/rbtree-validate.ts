/** Proves the rules of a red-black tree by walking all of it. For validators and tests. */
import { type RbNode, rbFirst, rbNext } from "./rbtree.ts";

/** What to look at in each node beside colours and links. */
export interface RbInspection<T> {
  /** How findings call a node. */
  describe(node: T): string;
  /** Whether `a` may stand before `b`. */
  ordered(a: T, b: T): boolean;
  /** The node's own value and what it keeps for its subtree, of which the latter must be the maximum. */
  ownValue(node: T): number;
  subtreeValue(node: T): number;
}

/** What is wrong with the tree, empty when nothing is. `size`: the nodes it should have. */
export function checkRbTree<T extends RbNode<T>>(
  root: T | null,
  size: number,
  inspection: RbInspection<T>,
): string[] {
  const findings: string[] = [];
  if (root?.rbRed) findings.push("the root is red");
  if (root?.rbParent) findings.push("the root has a parent");
  const counted = { nodes: 0 };
  if (root !== null) checkSubtree(root, inspection, findings, counted);
  if (counted.nodes !== size) findings.push(`${counted.nodes} nodes where ${size} are counted`);
  let before: T | null = null;
  // A cycle would walk for ever: the count above is the bound.
  let left = counted.nodes;
  let node = root === null ? null : rbFirst(root);
  while (node !== null && left-- > 0) {
    if (before !== null && !inspection.ordered(before, node)) {
      findings.push(`${inspection.describe(before)} stands before ${inspection.describe(node)}`);
    }
    before = node;
    node = rbNext(node);
  }
  return findings;
}

/** Checks colours, links and subtree values below `node`; answers the number of black nodes on each way down. */
function checkSubtree<T extends RbNode<T>>(
  node: T,
  inspection: RbInspection<T>,
  findings: string[],
  counted: { nodes: number },
): number {
  counted.nodes++;
  const { rbLeft, rbRight } = node;
  let value = inspection.ownValue(node);
  const heights = [rbLeft, rbRight].map((child) => {
    if (child === null) return 0;
    if (child.rbParent !== node) findings.push(`${inspection.describe(child)} has another parent`);
    if (node.rbRed && child.rbRed) findings.push(`${inspection.describe(child)} and its parent are red`);
    value = Math.max(value, inspection.subtreeValue(child));
    return checkSubtree(child, inspection, findings, counted);
  });
  if (heights[0] !== heights[1]) {
    findings.push(`black height ${heights.join(" and ")} below ${inspection.describe(node)}`);
  }
  if (inspection.subtreeValue(node) !== value) {
    findings.push(
      `${inspection.describe(node)} keeps ${inspection.subtreeValue(node)}, its subtree has ${value}`,
    );
  }
  return heights[0] + (node.rbRed ? 0 : 1);
}
