//! Sixteen bytes that print as 32 hexadecimal digits. Not a hash function: who makes the bytes decides that.

use std::fmt;

/// What stands for all code a cached function can run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadHex;

impl fmt::Display for BadHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 32 lower-case hexadecimal digits")
    }
}

impl std::error::Error for BadHex {}

/// The constructors and text form that the two sixteen-byte types have in common.
macro_rules! sixteen_bytes {
    ($name:ident) => {
        impl $name {
            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::hex::write_hex(f, &self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::hex::write_hex(f, &self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::BadHex;

            fn from_str(text: &str) -> Result<Self, $crate::BadHex> {
                $crate::hex::parse_hex(text).map($name)
            }
        }
    };
}
pub(crate) use sixteen_bytes;

sixteen_bytes!(Fingerprint);

pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

pub(crate) fn parse_hex(text: &str) -> Result<[u8; 16], BadHex> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return Err(BadHex);
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

/// Upper case is refused: two spellings of one fingerprint would make text comparison lie.
fn digit(c: u8) -> Result<u8, BadHex> {
    match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        _ => Err(BadHex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_survives_its_text_form() {
        let fingerprint = Fingerprint::from_bytes(std::array::from_fn(|i| (i * 17) as u8));
        assert_eq!(fingerprint.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }

    #[test]
    fn anything_but_32_lower_case_digits_is_refused() {
        let upper = "00112233445566778899AABBCCDDEEFF";
        let long = "00112233445566778899aabbccddeeff0";
        for text in [
            "",
            "00",
            upper,
            long,
            "0011223344556677889zaabbccddeeff",
            "+0112233445566778899aabbccddeefé",
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadHex), "{text}");
        }
    }
}
