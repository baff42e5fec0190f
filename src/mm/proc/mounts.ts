/** /proc/PID/mounts and /proc/filesystems: what is mounted where, and what can be (fs/proc_namespace.c). */
import { majorOf, minorOf } from "../uapi/fs.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import type { SuperBlock } from "../vfs/super-block.ts";
import { escapeChars } from "./text.ts";

/** Device, directory, type and options, a line each. */
export function procMounts(mounts: MountNamespace): string {
  let text = "";
  for (const { sb, path } of mounts.mounts()) {
    const place = escapeChars(path, " \t\n\\#");
    text += `${sb.fsName} ${place} ${sb.fsName} ${mountOptions(sb)} 0 0\n`;
  }
  return text;
}

function mountOptions({ readOnly, noExec }: SuperBlock): string {
  return `${readOnly === true ? "ro" : "rw"}${noExec === true ? ",noexec" : ""},relatime`;
}

/** /proc/PID/mountinfo: the same with numbers (show_mountinfo). No mount shares what happens to it with another. */
export function procMountinfo(mounts: MountNamespace): string {
  let text = "";
  for (const { id, parentId, sb, path } of mounts.mounts()) {
    const mode = sb.readOnly === true ? "ro" : "rw";
    const dev = `${majorOf(sb.dev)}:${minorOf(sb.dev)}`;
    const place = escapeChars(path, " \t\n\\");
    text += `${id} ${parentId} ${dev} / ${place} ${mountOptions(sb)} - ${sb.fsName} ${sb.fsName} ${mode}\n`;
  }
  return text;
}

/** The kinds of file systems, none of which needs a block device. */
export function procFilesystems(mounts: MountNamespace): string {
  const kinds = new Set(["proc", "tmpfs", "devtmpfs", "pipefs"]);
  for (const { sb } of mounts.mounts()) kinds.add(sb.fsName);
  return [...kinds].map((kind) => `nodev\t${kind}\n`).join("");
}
