/**
 * The Internet checksum (RFC 1071): the complement of the one's complement sum of 16-bit words.
 *
 * Long ranges are summed by a WebAssembly SIMD function in place over packet memory: 16 bytes a step, as eight
 * little-endian words (the sum does not care about byte order; the result is swapped once at the end, RFC 1071 section 2B).
 * NAT never sums a packet again: it updates the checksum by the difference (RFC 1624).
 */

/** The one's complement sum of `length` bytes at `offset`, folded to 16 bits, in network order; an odd byte is padded. */
export type SumRange = (offset: number, length: number) => number;

/**
 * (module
 *   (import "p" "m" (memory 0))
 *   (func (export "sum") (param $at i32) (param $left i32) (result i32) (local $sum i32) (local $lanes v128)
 *     (if (i32.ge_u (local.get $left) (i32.const 16)) (then
 *       (loop $block                                     ;; four 32-bit lanes of word sums; safe up to 128 KiB
 *         (local.set $lanes (i32x4.add (local.get $lanes)
 *           (i32x4.extadd_pairwise_i16x8_u (v128.load align=1 (local.get $at)))))
 *         (local.set $at (i32.add (local.get $at) (i32.const 16)))
 *         (br_if $block (i32.ge_u
 *           (local.tee $left (i32.sub (local.get $left) (i32.const 16))) (i32.const 16))))
 *       (local.set $sum (i32.add
 *         (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
 *         (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))))
 *     (block $even (loop $word
 *       (br_if $even (i32.lt_u (local.get $left) (i32.const 2)))
 *       (local.set $sum (i32.add (local.get $sum) (i32.load16_u align=1 (local.get $at))))
 *       (local.set $at (i32.add (local.get $at) (i32.const 2)))
 *       (local.set $left (i32.sub (local.get $left) (i32.const 2)))
 *       (br $word)))
 *     (if (local.get $left) (then
 *       (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))))
 *     (local.get $sum)))
 */
// biome-ignore format: one instruction group a line, beside its text form
const MODULE_BYTES = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version 1
  0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, // type 0: (i32 i32) -> i32
  0x02, 0x08, 0x01, 0x01, 0x70, 0x01, 0x6d, 0x02, 0x00, 0x00, // import "p" "m" (memory 0)
  0x03, 0x02, 0x01, 0x00, // function 0 has type 0
  0x07, 0x07, 0x01, 0x03, 0x73, 0x75, 0x6d, 0x00, 0x00, // export "sum" function 0
  0x0a, 0x87, 0x01, 0x01, 0x84, 0x01, // code: one body of 132 bytes
  0x02, 0x01, 0x7f, 0x01, 0x7b, // locals: 2 $sum i32, 3 $lanes v128
  0x20, 0x01, 0x41, 0x10, 0x4f, 0x04, 0x40, // if $left >= 16
  0x03, 0x40, // loop $block
  0x20, 0x03, 0x20, 0x00, 0xfd, 0x00, 0x00, 0x00, // $lanes, v128.load $at
  0xfd, 0x7f, 0xfd, 0xae, 0x01, 0x21, 0x03, // extadd_pairwise_i16x8_u, i32x4.add, set $lanes
  0x20, 0x00, 0x41, 0x10, 0x6a, 0x21, 0x00, // $at += 16
  0x20, 0x01, 0x41, 0x10, 0x6b, 0x22, 0x01, 0x41, 0x10, 0x4f, 0x0d, 0x00, // $left -= 16; again while >= 16
  0x0b, // end loop
  0x20, 0x03, 0xfd, 0x1b, 0x00, 0x20, 0x03, 0xfd, 0x1b, 0x01, 0x6a, // lane 0 + lane 1
  0x20, 0x03, 0xfd, 0x1b, 0x02, 0x20, 0x03, 0xfd, 0x1b, 0x03, 0x6a, // lane 2 + lane 3
  0x6a, 0x21, 0x02, 0x0b, // set $sum; end if
  0x02, 0x40, 0x03, 0x40, // block $even, loop $word
  0x20, 0x01, 0x41, 0x02, 0x49, 0x0d, 0x01, // leave when $left < 2
  0x20, 0x02, 0x20, 0x00, 0x2f, 0x00, 0x00, 0x6a, 0x21, 0x02, // $sum += load16_u $at
  0x20, 0x00, 0x41, 0x02, 0x6a, 0x21, 0x00, // $at += 2
  0x20, 0x01, 0x41, 0x02, 0x6b, 0x21, 0x01, // $left -= 2
  0x0c, 0x00, 0x0b, 0x0b, // again; end loop, end block
  0x20, 0x01, 0x04, 0x40, // if $left
  0x20, 0x02, 0x20, 0x00, 0x2d, 0x00, 0x00, 0x6a, 0x21, 0x02, 0x0b, // $sum += load8_u $at; end if
  0x20, 0x02, 0x0b, // $sum
);

/** A sum over one memory: SIMD where the engine has it, plain reads elsewhere. */
export function createSumRange(wasm: WebAssembly.Memory): SumRange {
  const sum = instantiate(wasm);
  if (sum === undefined) {
    const view = new DataView(wasm.buffer);
    return (offset, length) => sumRangeScalar(view, offset, length);
  }
  return (offset, length) => swap16(fold(sum(offset, length) >>> 0));
}

/** undefined on an engine without SIMD: it refuses to compile the module. */
function instantiate(wasm: WebAssembly.Memory): SumRange | undefined {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(MODULE_BYTES);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) return undefined;
    throw error;
  }
  return new WebAssembly.Instance(module, { p: { m: wasm } }).exports.sum as SumRange;
}

/** The same sum in plain JavaScript; also the quicker one for a header of 20 bytes. */
export function sumRangeScalar(view: DataView, offset: number, length: number): number {
  let sum = 0;
  const end = offset + length - 1;
  let at = offset;
  for (; at < end; at += 2) sum += view.getUint16(at);
  if (at === end) sum += view.getUint8(at) << 8;
  return fold(sum);
}

/** Folds the carries of a sum (below 2^32) back into 16 bits. */
export function fold(sum: number): number {
  const once = (sum >>> 16) + (sum & 0xffff);
  return (once >>> 16) + (once & 0xffff);
}

/** The checksum field for a sum. */
export function finish(sum: number): number {
  return ~fold(sum) & 0xffff;
}

function swap16(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}

/** The sum of the pseudo header of TCP and UDP over IPv4 (RFC 9293 section 3.1); `length` is header and payload. */
export function pseudoHeaderSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

/** The checksum after a 16-bit field went from `before` to `after` (RFC 1624, equation 3). */
export function update16(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** The checksum after a 32-bit field, an address, went from `before` to `after` (RFC 1624, equation 3). */
export function update32(checksum: number, before: number, after: number): number {
  return (
    ~fold(
      (~checksum & 0xffff) +
        (~before & 0xffff) +
        ((~before >>> 16) & 0xffff) +
        (after & 0xffff) +
        ((after >>> 16) & 0xffff),
    ) & 0xffff
  );
}
