/** What uname(2) and /proc/sys/kernel say of the kernel: the Linux that Faultline stands for. */
export const UTS_SYSNAME = "Linux";
export const UTS_NODENAME = "faultline";
export const UTS_RELEASE = "6.18.0";
export const UTS_VERSION = "#1 SMP PREEMPT_DYNAMIC Faultline";
export const UTS_DOMAINNAME = "(none)";
/** The longest of the names (__NEW_UTS_LEN), in bytes. */
export const UTS_LEN = 64;

/** Those of the names that can be set: sethostname, setdomainname. */
export interface UtsNames {
  node: string;
  domain: string;
}
