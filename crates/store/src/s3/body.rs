//! What is sent: a part of a file as the body of a request, read while it is sent, and counted.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use aws_sdk_s3::primitives::{ByteStream, Length, SdkBody};
use http_body::{Body, Frame, SizeHint};

use crate::{Error, Result};

/// How many bytes of a file are on their way or there; what a failed try has sent does not count.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<AtomicU64>);

impl Sent {
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file that is uploaded, and where its bytes are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) sent: &'a Sent,
}

impl Source<'_> {
    /// The bytes from `offset` on, at most `length` of them, read anew for another try.
    pub(super) async fn body(self, offset: u64, length: Option<u64>) -> Result<ByteStream> {
        let builder = ByteStream::read_from().path(self.path);
        let mut builder = builder.offset(offset).buffer_size(1 << 18);
        if let Some(length) = length {
            builder = builder.length(Length::UpTo(length));
        }
        let plain = builder.build().await.map_err(|error| Error::Scratch {
            action: "read",
            path: self.path.to_owned(),
            source: std::io::Error::other(error),
        })?;
        let sent = self.sent.clone();
        let counted = plain.into_inner().map_preserve_contents(move |inner| {
            let length = Body::size_hint(&inner).exact();
            SdkBody::from_body_1_x(Counted { inner, length, here: 0, sent: sent.clone() })
        });
        Ok(ByteStream::new(counted))
    }
}

struct Counted {
    inner: SdkBody,
    length: Option<u64>,
    here: u64,
    sent: Sent,
}

impl Body for Counted {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            let length = bytes.len() as u64;
            self.here += length;
            self.sent.0.fetch_add(length, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Dropped before its end, it will be sent again.
        if self.length != Some(self.here) {
            self.sent.0.fetch_sub(self.here, Ordering::Relaxed);
        }
    }
}
