/** d_path: the path of a dentry, for maps, getcwd, reports (fs/d_path.c). */
import type { Dentry } from "./dentry.ts";

/**
 * The absolute path of `dentry` as seen from `root` (default: the root of all mounts), " (deleted)" behind it where
 * the name is gone. What lies outside `root` is named up to the top of the tree, as Linux does in maps.
 */
export function dPath(dentry: Dentry, root?: Dentry): string {
  if (dentry.pseudoName !== null) return dentry.pseudoName;
  let path = "";
  let at = dentry;
  while (at !== root) {
    if (at.covers !== null) {
      at = at.covers;
    } else if (at.parent === null) {
      // A tree's top has no name; what has no tree at all is named as if it stood below one ("/memfd:x").
      if (at.name !== "") path = `/${at.name}${path}`;
      break;
    } else {
      path = `/${at.name}${path}`;
      at = at.parent;
    }
  }
  if (path === "") path = "/";
  return dentry.unhashed ? `${path} (deleted)` : path;
}

/** Whether a walk up from `dentry` comes by `root`: it is that, or lies in it. */
export function isBelow(dentry: Dentry, root: Dentry): boolean {
  let at: Dentry | null = dentry;
  while (at !== null && at !== root) at = at.covers ?? at.parent;
  return at !== null;
}
