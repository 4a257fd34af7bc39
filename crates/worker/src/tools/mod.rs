//! The pinned programs that the work needs: where they are, and how they are unpacked from a bundle.

mod intact;
pub(crate) mod pack;
pub(crate) mod toolbox;
