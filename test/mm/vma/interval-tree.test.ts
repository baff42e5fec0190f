import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IntervalNode, IntervalTree } from "../../../src/mm/vma/interval-tree.ts";
import { checkIntervalTree } from "../../../src/mm/vma/vma-validate.ts";

const pages = fc.nat({ max: 40 });
const lengths = fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 40 }));
const step = fc.oneof(
  fc.record({ op: fc.constant("insert" as const), first: pages, length: lengths }),
  fc.record({ op: fc.constant("insert" as const), first: pages, length: lengths }),
  fc.record({ op: fc.constant("resize" as const), which: fc.nat(), first: pages, length: lengths }),
  fc.record({ op: fc.constant("resize end" as const), which: fc.nat(), length: lengths }),
  fc.record({ op: fc.constant("remove" as const), which: fc.nat() }),
);

describe("IntervalTree", () => {
  it("finds what a search through all intervals finds, in order", () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 40, maxLength: 160 }),
        fc.array(fc.tuple(pages, lengths), { minLength: 20 }),
        (steps, queries) => {
          const tree = new IntervalTree<number>();
          const nodes: IntervalNode<number>[] = [];
          for (const [at, step] of steps.entries()) {
            if (step.op === "insert") {
              const node = new IntervalNode(at, step.first, step.first + step.length);
              nodes.push(node);
              tree.insert(node);
            } else if (nodes.length > 0) {
              const index = step.which % nodes.length;
              const node = nodes[index];
              if (step.op === "resize") tree.resize(node, step.first, step.first + step.length);
              else if (step.op === "resize end") tree.resize(node, node.first, node.first + step.length);
              else tree.remove(nodes.splice(index, 1)[0]);
            }
            expect(checkIntervalTree(tree)).toEqual([]);
          }
          expect(new Set(tree)).toEqual(new Set(nodes));
          for (const [first, length] of queries) {
            const last = first + length;
            const found: IntervalNode<number>[] = [];
            for (let n = tree.firstOverlap(first, last); n !== null; n = tree.nextOverlap(n, first, last)) {
              found.push(n);
            }
            expect(found).toEqual([...tree].filter((node) => node.first <= last && node.last >= first));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is empty again after everything was removed", () => {
    const tree = new IntervalTree<string>();
    const nodes = Array.from(
      { length: 1000 },
      (_, at) => new IntervalNode("x", (at * 7919) % 1000, at + 1000),
    );
    for (const node of nodes) tree.insert(node);
    expect(checkIntervalTree(tree)).toEqual([]);
    for (const node of nodes) tree.remove(node);
    expect(tree.isEmpty).toBe(true);
    expect(tree.firstOverlap(0, 2000)).toBeNull();
  });
});
