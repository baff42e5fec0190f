/** /proc/PID/mem: a process's memory as a file, at the offset that is the address (mem_rw). */
import { PAGE_SIZE } from "../page.ts";
import { EFAULT, EIO } from "../uapi/errno.ts";
import type { FileOperations } from "../vfs/file.ts";
import { type RemoteAccess, readRemote, writeRemote } from "./remote-access.ts";
import { mmOfFile } from "./text-file.ts";

/** Whoever may open the file has the debugger's rights: what a mapping merely protects can be read and written. */
export function memOps(access: RemoteAccess): Required<Pick<FileOperations, "read" | "write">> {
  return {
    read(file, to, pos) {
      const mm = mmOfFile(file);
      if (mm.users === 0) return 0;
      let done = 0;
      while (to.count > 0) {
        const page = new Uint8Array(Math.min(to.count, PAGE_SIZE));
        const got = readRemote(access, mm, pos + done, page);
        if (got === 0) return done > 0 ? done : -EIO;
        if (to.copyBytesToIter(page.subarray(0, got)) < got) return -EFAULT;
        done += got;
      }
      return done;
    },
    write(file, from, pos) {
      const mm = mmOfFile(file);
      if (mm.users === 0) return 0;
      let done = 0;
      while (from.count > 0) {
        const page = new Uint8Array(Math.min(from.count, PAGE_SIZE));
        if (from.copyBytesFromIter(page) < page.length) return -EFAULT;
        const put = writeRemote(access, mm, pos + done, page);
        if (put < page.length) from.revert(page.length - put);
        if (put === 0) return done > 0 ? done : -EIO;
        done += put;
      }
      return done;
    },
  };
}
