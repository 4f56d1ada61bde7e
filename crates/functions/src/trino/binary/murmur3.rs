//! MurmurHash3, the variant for 64-bit machines with 128 bits, with seed 0 (Appleby's `MurmurHash3_x64_128`).

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The hash as Trino writes it: both halves with their lowest byte first.
pub(super) fn murmur3(bytes: &[u8]) -> [u8; 16] {
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        let (k1, k2) = words(block);
        h1 ^= mix1(k1);
        h1 = h1
            .rotate_left(27)
            .wrapping_add(h2)
            .wrapping_mul(5)
            .wrapping_add(0x52dc_e729);
        h2 ^= mix2(k2);
        h2 = h2
            .rotate_left(31)
            .wrapping_add(h1)
            .wrapping_mul(5)
            .wrapping_add(0x3849_5ab5);
    }
    let (k1, k2) = words(blocks.remainder());
    h2 ^= mix2(k2);
    h1 ^= mix1(k1);

    let length = bytes.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);

    let mut out = [0; 16];
    let halves = h1.to_le_bytes().into_iter().chain(h2.to_le_bytes());
    for (to, from) in out.iter_mut().zip(halves) {
        *to = from;
    }
    out
}

/// Sixteen bytes as two words; what is missing is zero.
fn words(bytes: &[u8]) -> (u64, u64) {
    let word = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .take(8)
            .enumerate()
            .fold(0, |word, (i, byte)| word | u64::from(*byte) << (8 * i))
    };
    (word(0), word(8))
}

fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}
