//! What a failed request to AWS means for its caller: missing, denied, worth a retry, or refused.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{Error, Uri};

/// Codes of refusals that a retry can fix although their status says "bad request".
const TRANSIENT: &[&str] =
    &["RequestTimeout", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"];

/// Why a request to a service of AWS failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFailure {
    /// The request could not be made: a retry ends the same way.
    NotBuilt { reason: String },
    /// There was no answer.
    NoAnswer { reason: String },
    /// The service answered with an error.
    Answered { status: u16, code: String, reason: String },
}

impl RequestFailure {
    /// Reads the error of a client of `service`.
    pub fn of<E>(error: &SdkError<E, HttpResponse>, service: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let context = match error {
            SdkError::ServiceError(context) => context,
            SdkError::ConstructionFailure(_) => {
                return Self::NotBuilt { reason: root_cause(error) };
            }
            _ => return Self::NoAnswer { reason: root_cause(error) },
        };
        let status = context.raw().status().as_u16();
        let code = context.err().code().unwrap_or_default().to_owned();
        let reason = match (code.as_str(), context.err().message()) {
            ("", _) => format!("{service} answered {status}"),
            (code, None | Some("")) => format!("{service} answered {status} {code}"),
            (code, Some(message)) => format!("{service} answered {status} {code}: {message}"),
        };
        Self::Answered { status, code, reason }
    }
}

pub(super) fn explain<E>(
    error: &SdkError<E, HttpResponse>,
    action: &'static str,
    uri: &Uri,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let uri = uri.clone();
    let (status, code, reason) = match RequestFailure::of(error, "S3") {
        RequestFailure::NotBuilt { reason } => return Error::Refused { action, uri, reason },
        RequestFailure::NoAnswer { reason } => return Error::Unavailable { action, uri, reason },
        RequestFailure::Answered { status, code, reason } => (status, code, reason),
    };
    match status {
        // Writing asks for nothing that could be missing but the bucket, or the upload that an earlier try completed.
        404 if code == "NoSuchUpload" => Error::Unavailable { action, uri, reason },
        404 if action == "write" => Error::Refused { action, uri, reason },
        404 => Error::Missing { uri },
        401 | 403 => Error::Denied { action, uri, reason },
        408 | 429 | 500..=599 => Error::Unavailable { action, uri, reason },
        _ if TRANSIENT.contains(&code.as_str()) => Error::Unavailable { action, uri, reason },
        _ => Error::Refused { action, uri, reason },
    }
}

/// The innermost cause of an error, which is the part that a reader can act on.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    if text.is_empty() { DisplayErrorContext(error).to_string() } else { text }
}
