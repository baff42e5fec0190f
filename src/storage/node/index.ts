/** faultline/node: real files and directories, through Node's fs. */

export { createSwapFile, fillSwapFile, HostSwapFile } from "./host-swap-file.ts";
export { FileMapping, type MapFileOptions, mapFile } from "./map-file.ts";
export { type NodeFsOptions, nodeFs } from "./node-fs.ts";
export { zlibCompressor } from "./zlib-compressor.ts";
