//! What a failed request means for whoever asked: gone, forbidden, worth another try, or not.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{Error, Uri};

/// Codes of refusals that another try can mend although their status says "bad request".
const PASSING: &[&str] =
    &["RequestTimeout", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"];

pub(super) fn explain<E>(
    error: &SdkError<E, HttpResponse>,
    action: &'static str,
    uri: &Uri,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let uri = uri.clone();
    let SdkError::ServiceError(context) = error else {
        let reason = cause(error);
        return match error {
            SdkError::ConstructionFailure(_) => Error::Refused { action, uri, reason },
            _ => Error::Unavailable { action, uri, reason },
        };
    };
    let status = context.raw().status().as_u16();
    let code = context.err().code().unwrap_or_default();
    let reason = match (code, context.err().message()) {
        ("", _) => format!("S3 answered {status}"),
        (code, None | Some("")) => format!("S3 answered {status} {code}"),
        (code, Some(message)) => format!("S3 answered {status} {code}: {message}"),
    };
    match status {
        // Writing asks for nothing that could be missing but the bucket, or the upload that an earlier try completed.
        404 if code == "NoSuchUpload" => Error::Unavailable { action, uri, reason },
        404 if action == "write" => Error::Refused { action, uri, reason },
        404 => Error::Missing { uri },
        401 | 403 => Error::Denied { action, uri, reason },
        408 | 429 | 500..=599 => Error::Unavailable { action, uri, reason },
        _ if PASSING.contains(&code) => Error::Unavailable { action, uri, reason },
        _ => Error::Refused { action, uri, reason },
    }
}

/// The innermost of what the client says, which is the part that a reader can act on.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    if text.is_empty() { DisplayErrorContext(error).to_string() } else { text }
}
