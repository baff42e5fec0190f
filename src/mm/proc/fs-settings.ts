/** /proc/sys/fs: the bounds of files, pipes and event polls, as far as they act here. */
import { pipeLimits, roundPipeSize } from "../vfs/pipe-payer.ts";
import type { ProcHost } from "./proc-task.ts";
import { directoryNode, fixedDirectory, type ProcNode } from "./proc-tree.ts";
import { numberNode, unsignedNode } from "./sysctl-node.ts";
import { textNode } from "./text-file.ts";

export function fsSettings({ phys, sysctl, mounts: { openFiles } }: ProcHost): Record<string, ProcNode> {
  const pipes = pipeLimits(phys);
  return {
    epoll: directoryNode(
      fixedDirectory({
        max_user_watches: unsignedNode(
          () => sysctl.epollMaxUserWatches,
          (watches) => {
            sysctl.epollMaxUserWatches = watches;
          },
        ),
      }),
    ),
    "file-max": unsignedNode(
      () => openFiles.max,
      (files) => {
        openFiles.max = files;
      },
    ),
    "file-nr": textNode(() => `${openFiles.files}\t0\t${openFiles.max}\n`),
    "pipe-max-size": numberNode({
      get: () => pipes.maxSize,
      set: (size) => {
        pipes.maxSize = roundPipeSize(size);
      },
      min: 1,
    }),
    "pipe-user-pages-hard": unsignedNode(
      () => pipes.userPagesHard,
      (pages) => {
        pipes.userPagesHard = pages;
      },
    ),
    "pipe-user-pages-soft": unsignedNode(
      () => pipes.userPagesSoft,
      (pages) => {
        pipes.userPagesSoft = pages;
      },
    ),
  };
}
