//! Roots over png, fdeflate, miniz_oxide and crc32fast: byte streams, filters, checksums.

use std::io::Cursor;

pub fn decode(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut reader) = png::Decoder::new(Cursor::new(bytes)).read_info() else { return Vec::new() };
    let mut out = vec![0; reader.output_buffer_size().unwrap_or(0)];
    match reader.next_frame(&mut out) {
        Ok(_) => out,
        Err(_) => Vec::new(),
    }
}

pub fn size(bytes: &[u8]) -> (u32, u32) {
    png::Decoder::new(Cursor::new(bytes)).read_info().map_or((0, 0), |reader| reader.info().size())
}

pub fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    if let Ok(mut writer) = encoder.write_header() {
        let _ = writer.write_image_data(pixels);
    }
    out
}
