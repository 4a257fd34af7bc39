//! Where the files beside a video or a chunk are stored.

use render::SideOutput;
use store::Uri;

/// Where a side output of the video at `uri` is stored.
pub(crate) fn beside(uri: &Uri, side_output: SideOutput) -> Uri {
    uri.beside(|name| side_output.name_beside(name))
}

/// Where a side output of a chunk is stored until the chunks are joined. Its name has the plan's hash, since a chunk of another
/// plan may be stored under the same prefix, and nothing else tells the two apart.
pub(crate) fn beside_chunk(chunk: &Uri, plan_hash: &str, side_output: SideOutput) -> Uri {
    let plan = plan_hash.get(..16).unwrap_or(plan_hash);
    chunk.beside(|name| {
        let name = side_output.name_beside(name);
        match name.split_once('.') {
            Some((stem, rest)) => format!("{stem}-{plan}.{rest}"),
            None => format!("{name}-{plan}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_outputs_lie_beside_what_they_belong_to_and_those_of_chunks_name_their_plan() {
        let uri = |text: &str| Uri::parse(text).unwrap();
        let hash = "0123456789abcdef0123";
        for (text, kind, expected, of_chunk) in [
            (
                "s3://bucket/w/chunks/0001.webm",
                SideOutput::Poster,
                "s3://bucket/w/chunks/0001.poster.png",
                "s3://bucket/w/chunks/0001-0123456789abcdef.poster.png",
            ),
            (
                "s3://bucket/output.tar.gz",
                SideOutput::Preview,
                "s3://bucket/output.preview.mp4",
                "s3://bucket/output-0123456789abcdef.preview.mp4",
            ),
            (
                "file:///w/0001.mov",
                SideOutput::Preview,
                "file:///w/0001.preview.mp4",
                "file:///w/0001-0123456789abcdef.preview.mp4",
            ),
        ] {
            assert_eq!(beside(&uri(text), kind), uri(expected));
            assert_eq!(beside_chunk(&uri(text), hash, kind), uri(of_chunk));
        }
    }
}
