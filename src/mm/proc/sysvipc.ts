/** /proc/sysvipc: System V shared memory, message queues and semaphores, a line each (sysvipc_…_proc_show in ipc/shm.c, msg.c, sem.c). */
import type { MessageQueues } from "../ipc/message-queues.ts";
import type { Semaphores } from "../ipc/semaphores.ts";
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

const MSG_HEADER =
  "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";

export function procSysvipcMsg({ queues }: MessageQueues): string {
  let text = MSG_HEADER;
  for (const {
    key,
    id,
    mode,
    cbytes,
    messages,
    lspid,
    lrpid,
    uid,
    gid,
    cuid,
    cgid,
    stime,
    rtime,
    ctime,
  } of queues) {
    const words = [pad(key, 10), pad(id, 10), ` ${mode.toString(8).padStart(4)} `, pad(cbytes, 10)];
    words.push(pad(messages.length, 10));
    for (const number of [lspid, lrpid, uid, gid, cuid, cgid]) words.push(pad(number, 5));
    for (const seconds of [stime, rtime, ctime]) words.push(pad(seconds, 10));
    text += `${words.join(" ")}\n`;
  }
  return text;
}

const SEM_HEADER = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";

export function procSysvipcSem({ sets }: Semaphores): string {
  let text = SEM_HEADER;
  for (const { key, id, mode, nsems, uid, gid, cuid, cgid, otime, ctime } of sets) {
    const words = [pad(key, 10), pad(id, 10), ` ${mode.toString(8).padStart(4)}`, pad(nsems, 10)];
    for (const number of [uid, gid, cuid, cgid]) words.push(pad(number, 5));
    words.push(pad(otime, 10), pad(ctime, 10));
    text += `${words.join(" ")}\n`;
  }
  return text;
}

function pad(value: number | bigint, width: number): string {
  return String(value).padStart(width);
}
