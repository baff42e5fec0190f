/** /proc/sysvipc/shm: the segments of System V shared memory, a line each (sysvipc_shm_proc_show in ipc/shm.c). */
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import type { ShmSegment } from "../ipc/shm-segment.ts";
import { PAGE_SIZE } from "../page.ts";

const HEADER =
  "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid" +
  "      atime      dtime      ctime                   rss                  swap\n";

export function procSysvipcShm({ segments }: ShmNamespace): string {
  let text = HEADER;
  for (const segment of segments) text += line(segment);
  return text;
}

function line(segment: ShmSegment): string {
  const { key, id, mode, segsz, cpid, lpid, nattch, uid, gid, cuid, cgid, atime, dtime, ctime } = segment;
  const rss = segment.file.mapping.pages.size * PAGE_SIZE;
  const words = [pad(key, 10), pad(id, 10), ` ${mode.toString(8).padStart(4)}`, pad(BigInt(segsz), 21)];
  words.push(pad(cpid, 5), pad(lpid, 5), ` ${pad(nattch, 5)}`);
  for (const user of [uid, gid, cuid, cgid]) words.push(pad(user, 5));
  for (const seconds of [atime, dtime, ctime]) words.push(pad(seconds, 10));
  words.push(pad(rss, 21), pad(0, 21));
  return `${words.join(" ")}\n`;
}

function pad(value: number | bigint, width: number): string {
  return String(value).padStart(width);
}
