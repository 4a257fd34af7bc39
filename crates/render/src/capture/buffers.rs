//! Memory of finished pictures for the next ones.

use std::sync::Mutex;

/// Buffers that finished pictures leave behind for the next ones: fresh memory of this size costs more than what is put in it.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// A buffer of `len` bytes with anything in it.
    pub(crate) fn take(&self, len: usize) -> Vec<u8> {
        let mut free = self.free.lock().expect("nothing panics while holding the buffers");
        let fitting = free.iter().position(|buffer| buffer.len() == len);
        fitting.map_or_else(|| vec![0; len], |i| free.swap_remove(i))
    }

    pub(crate) fn put_back(&self, buffer: Vec<u8>) {
        self.free.lock().expect("nothing panics while holding the buffers").push(buffer);
    }
}
