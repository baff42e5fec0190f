/** ioctls of sockets: what is under way, whom signals tell, and the network's interfaces. */
import { FIONREAD } from "../../mm/uapi/fs.ts";
import type { File } from "../../mm/vfs/file.ts";
import { StructView } from "../abi/bytes.ts";
import type { Socket } from "../net/socket.ts";
import type { Call } from "./call.ts";
import { ioctlGetOwner, ioctlSetOwner } from "./file-owner.ts";
import { interfaceIoctl } from "./interface-ioctl.ts";

/** The number of a terminal's TIOCOUTQ. */
const SIOCOUTQ = 0x5411;
const FIOSETOWN = 0x8901;
const SIOCSPGRP = 0x8902;
const FIOGETOWN = 0x8903;
const SIOCGPGRP = 0x8904;
const SIOCATMARK = 0x8905;

/** What the ioctl answers, undefined where it is none of these. */
export function socketIoctl(call: Call, file: File, socket: Socket, cmd: number): number | undefined {
  switch (cmd) {
    case FIONREAD:
    case SIOCOUTQ: {
      const bytes = cmd === FIONREAD ? socket.inputBytes() : socket.outputBytes();
      return bytes < 0 ? bytes : call.put(call.u64(2), new StructView(4).put32(0, bytes).bytes);
    }
    // Never: no stream has urgent bytes.
    case SIOCATMARK:
      return socket.isStream ? call.put(call.u64(2), new Uint8Array(4)) : undefined;
    case FIOSETOWN:
    case SIOCSPGRP:
      return ioctlSetOwner(call, file);
    case FIOGETOWN:
    case SIOCGPGRP:
      return ioctlGetOwner(call, file);
    default:
      return interfaceIoctl(call, socket, cmd);
  }
}
