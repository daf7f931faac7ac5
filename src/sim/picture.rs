//! A photo and a recording, as people send them.

/// A picture of one grey dot, as a PNG.
const DOT: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";

/// What a platform's media server gives out.
pub(super) fn photo() -> Vec<u8> {
    DOT.to_vec()
}

/// A tenth of a second of silence, as an MP3: four frames (MPEG-1 layer III, 128 kbit/s, 44.1 kHz) of 417
/// bytes, each its header and nothing.
pub(super) fn recording() -> Vec<u8> {
    let mut frame = vec![0xFF, 0xFB, 0x90, 0x00];
    frame.resize(417, 0);
    frame.repeat(4)
}
