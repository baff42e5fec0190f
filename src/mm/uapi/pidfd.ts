/** Constants of descriptors for processes (include/uapi/linux/pidfd.h). */
import { O_EXCL, O_NONBLOCK } from "./fcntl.ts";

/** Flags of pidfd_open: waitid answers EAGAIN instead of waiting; the thread of that number instead of its process. */
export const PIDFD_NONBLOCK: number = O_NONBLOCK;
export const PIDFD_THREAD: number = O_EXCL;

/** Stand for the calling thread and for its process where a pidfd is asked for. */
export const PIDFD_SELF_THREAD = -10000;
export const PIDFD_SELF_THREAD_GROUP = -10001;

/** Flags of pidfd_send_signal: whom of the process the signal is for. */
export const PIDFD_SIGNAL_THREAD = 1;
export const PIDFD_SIGNAL_THREAD_GROUP = 2;
export const PIDFD_SIGNAL_PROCESS_GROUP = 4;
