import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Every document for readers: the top-level ones and docs/. */
function documents(): string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return [...top.map((name) => join(ROOT, name)), ...docs.map((name) => join(ROOT, "docs", name))];
}

interface Link {
  readonly text: string;
  readonly target: string;
}

function relativeLinks(markdown: string): Link[] {
  const links = [...markdown.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)];
  return links
    .map(([, text, target]) => ({ text, target: target.split("#")[0] }))
    .filter(({ target }) => target !== "" && !/^[a-z]+:/.test(target));
}

describe.each(documents().map((path) => [relative(ROOT, path), path]))("%s", (_name, path) => {
  const links = relativeLinks(readFileSync(path, "utf8"));

  it("links to files that exist", () => {
    const dead = links.filter(({ target }) => !existsSync(join(dirname(path), target)));
    expect(dead).toEqual([]);
  });

  it("names things that their files declare", () => {
    const named = links.filter(({ text, target }) => /^`\w+`$/.test(text) && target.endsWith(".ts"));
    const missing = named.filter(({ text, target }) => {
      const name = text.slice(1, -1);
      const source = readFileSync(join(dirname(path), target), "utf8");
      return !new RegExp(`\\b(function|class|interface|const|type) \\*?${name}\\b`).test(source);
    });
    expect(missing).toEqual([]);
  });
});

it("docs/concepts.md has a row for every concept", () => {
  const rows = readFileSync(join(ROOT, "docs/concepts.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| "));
  expect(rows.length).toBeGreaterThanOrEqual(30);
});
