/** Node's zlib for compressed swap: deflate at its fastest, as pages are compressed more often than they are read back. */
import zlib from "node:zlib";
import { PAGE_SIZE } from "../../mm/page.ts";
import type { Compressor } from "../../mm/swap/zram-device.ts";

/**
 * Room for what comes out, in one piece: by default it is 16 KiB, of which each result keeps all alive. Inflate takes a
 * second piece when it has filled the first.
 */
const DEFLATE: zlib.ZlibOptions = { level: 1, windowBits: 12, chunkSize: PAGE_SIZE };
const INFLATE: zlib.ZlibOptions = { maxOutputLength: PAGE_SIZE, chunkSize: PAGE_SIZE + 64 };

export const zlibCompressor: Compressor = {
  name: "deflate",
  compress: (page) => zlib.deflateRawSync(page, DEFLATE),
  decompress(compressed, page) {
    try {
      const bytes = zlib.inflateRawSync(compressed, INFLATE);
      if (bytes.length !== page.length) return false;
      page.set(bytes);
      return true;
    } catch {
      return false;
    }
  },
};
