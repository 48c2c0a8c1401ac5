//! What fuzz targets feed of calls: bodies, credentials and signatures. What must hold stands beside each reader.

pub(crate) use super::{
    auth::fuzzing::{credentials, signature, signed},
    message::fuzzing::{envelope, exact_json},
};
