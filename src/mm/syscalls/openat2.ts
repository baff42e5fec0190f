/** openat2(2): as openat, but what is not known or makes no sense is refused, and the walk can be told where not to go. */
import { EAGAIN, EINVAL, ENOENT } from "../uapi/errno.ts";
import { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE, O_TRUNC } from "../uapi/fcntl.ts";
import { S_IALLUGO } from "../uapi/fs.ts";
import type { File } from "../vfs/file.ts";
import { RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT, type WalkContext } from "../vfs/namei.ts";
import { openPath, VALID_OPEN_FLAGS } from "../vfs/open.ts";
import { startAt, walkContext } from "./fd.ts";
import { refusesFile } from "./open.ts";
import type { Task } from "./task.ts";

const VALID_RESOLVE = 0x3f;
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const O_PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

/** struct open_how, each 64 bits. */
export interface OpenHow {
  readonly flags: number;
  readonly mode: number;
  readonly resolve: number;
}

/** 0, or what build_open_flags has against it. */
function check({ flags, mode, resolve }: OpenHow): number {
  // Flags beyond 31 bits are none that anybody knows.
  if (flags > 0x7fffffff || (flags & ~(VALID_OPEN_FLAGS | O_CLOEXEC)) !== 0) return -EINVAL;
  if (resolve > VALID_RESOLVE) return -EINVAL;
  const scope = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
  if ((resolve & scope) === scope) return -EINVAL;
  const makes = (flags & (O_CREAT | TMPFILE_BIT)) !== 0;
  if (makes ? mode > S_IALLUGO : mode !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~O_PATH_FLAGS) !== 0) return -EINVAL;
  const changes = makes || (flags & O_TRUNC) !== 0;
  return (resolve & RESOLVE_CACHED) !== 0 && changes ? -EAGAIN : 0;
}

/** A file without a descriptor, whose open may have to wait (mayGoOn). */
export function openFileAt2(task: Task, dirfd: number, path: string, how: OpenHow): File | number {
  const refused = check(how) || refusesFile(task);
  if (refused !== 0) return refused;
  if (path === "") return -ENOENT;
  const { resolve } = how;
  // In a root of its own an absolute path starts at the descriptor, too.
  const isInRoot = (resolve & RESOLVE_IN_ROOT) !== 0;
  const start = startAt(task, dirfd, isInRoot ? `./${path}` : path);
  if (typeof start === "number") return start;
  const own = walkContext(task);
  const ctx: WalkContext = { ...own, resolve, root: isInRoot ? start : own.root };
  return openPath(ctx, start, path, how.flags, how.mode);
}
