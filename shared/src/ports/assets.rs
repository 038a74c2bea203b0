//! Static files that are deployed with the code.

use bytes::Bytes;

use super::PortError;

/// The files of `build/assets`.
pub trait Assets {
    /// The file at `path`, as `docs/index.html`, or `None`. The path is one that the function
    /// names itself or has checked: it never leaves the folder.
    async fn asset(&self, path: &str) -> Result<Option<Bytes>, PortError>;
}
