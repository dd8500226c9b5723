//! Serde for types of `astrocache-manifest`, which has no serde: users' macros are built on it.

use std::path::PathBuf;

use astrocache_manifest::Finding;
use serde::{Deserialize, Deserializer, Serializer};

/// Defines `$name::serialize` and `$name::deserialize` for a type of sixteen bytes.
macro_rules! sixteen_bytes {
    ($name:ident, $type:ty) => {
        pub mod $name {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            pub fn serialize<S: Serializer>(it: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                it.as_bytes().serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                Ok(<$type>::from_bytes(<[u8; 16]>::deserialize(deserializer)?))
            }
        }
    };
}

sixteen_bytes!(fingerprint, astrocache_manifest::Fingerprint);
sixteen_bytes!(token_hash, astrocache_manifest::tokens::TokenHash);

pub mod findings {
    use super::*;

    pub fn serialize<S: Serializer>(all: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|it| (&it.kind, &it.name, &it.file, it.line)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Finding>, D::Error> {
        let all = Vec::<(String, String, PathBuf, u32)>::deserialize(deserializer)?.into_iter();
        let finding = |(kind, name, file, line)| Finding { kind, name, file, line };
        Ok(all.map(finding).collect())
    }
}
