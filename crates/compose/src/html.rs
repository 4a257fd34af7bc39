//! HTML as a tree that can be changed and written again, with nothing changed that was not meant to be.

use dom_query::{Document, NodeRef, Selection, SerializableNodeRef};
use html5ever::serialize::{SerializeOpts, TraversalScope, serialize as write_html};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};

/// Elements of which a parser drops the first line break.
const DROPS_FIRST_BREAK: &str = "pre, textarea, listing";

/// Reads a document as a browser that runs scripts does: what is in `noscript` is text.
pub fn parse(html: &str) -> Document {
    let tree_builder = TreeBuilderOpts { scripting_enabled: true, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder, ..ParseOpts::default() };
    parse_document(Document::default(), options).one(html)
}

/// Writes a document so that reading it again gives the same tree. The document is not to be used afterwards.
pub fn serialize(document: &Document) -> String {
    keep_first_breaks(&document.select(DROPS_FIRST_BREAK));
    written(document.root(), Written::Whole)
}

/// An element with all that is in it, to be read again elsewhere; the element is not to be used afterwards.
pub fn outer_html(node: &NodeRef<'_>) -> String {
    keep_first_breaks(&Selection::from(*node).select(DROPS_FIRST_BREAK));
    written(*node, Written::Whole)
}

/// What is in an element, to be read again elsewhere; for a template, its content.
pub fn inner_html(node: &NodeRef<'_>) -> String {
    keep_first_breaks(&Selection::from(*node).select(DROPS_FIRST_BREAK));
    written(*node, Written::Inside)
}

/// How much of a node is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Whole,
    Inside,
}

fn written(node: NodeRef<'_>, part: Written) -> String {
    // A template's content is written only with the template around it.
    let is_template = node.has_name("template");
    let traversal_scope = match part {
        Written::Inside if !is_template => TraversalScope::ChildrenOnly(None),
        Written::Inside | Written::Whole => TraversalScope::IncludeNode,
    };
    let options =
        SerializeOpts { scripting_enabled: true, traversal_scope, create_missing_parent: true };
    let mut bytes = Vec::new();
    write_html(&mut bytes, &SerializableNodeRef::from(node), options)
        .expect("writing to memory does not fail");
    let text = String::from_utf8(bytes).expect("a tree of texts is written as text");
    if is_template && part == Written::Inside {
        let start = text.find('>').map_or(0, |end| end + 1);
        let end = text.rfind("</").unwrap_or(text.len());
        return text[start..end].to_owned();
    }
    text
}

fn keep_first_breaks(elements: &Selection<'_>) {
    for node in elements.nodes() {
        let Some(first) = node.first_child().filter(NodeRef::is_text) else { continue };
        let text = first.text();
        if text.starts_with('\n') {
            first.set_text(format!("\n{text}"));
        }
    }
}

/// How an error names an element: its tag, with what tells it from others.
pub fn describe(node: &NodeRef<'_>) -> String {
    let tag = node.node_name().unwrap_or_default();
    let marked = |name: &str| {
        node.attr(name).map(|value| format!(" {name}=\"{value}\"")).unwrap_or_default()
    };
    let names = ["id", "data-composition-id", "data-composition-src", "src"].map(marked);
    format!("<{tag}{}>", names.concat())
}

/// JSON that can stand in a script: no `<` in it can end the script or begin a comment.
pub fn json_in_script(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Text for an attribute value in double quotes.
pub fn escape_attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_written_the_same() {
        for html in [
            "<!DOCTYPE html><html><head><title>t</title></head><body><p>a &amp; b</p></body></html>",
            "<html><head></head><body class=\"x\"><!-- c --><br><img src=\"a.png\"></body></html>",
            "<html><head><noscript><img src=\"a.png\"></noscript><style>a > b{}</style></head><body></body></html>",
            "<html><head></head><body><template><p>t</p><script>if (a < b && c) x('</p>')</script></template></body></html>",
            "<html><head></head><body><pre>\n\nfoo</pre><textarea>\n\nbar</textarea></body></html>",
            "<html><head></head><body><svg viewBox=\"0 0 1 1\"><linearGradient id=\"g\"></linearGradient></svg></body></html>",
        ] {
            assert_eq!(serialize(&parse(html)), html);
        }
    }

    #[test]
    fn the_content_of_a_template_is_what_stands_in_it() {
        let document =
            parse("<template id=t><div class='>'><b>x</b></div><style>a>b{}</style></template>");
        let template = document.select("template");
        assert_eq!(
            inner_html(&template.nodes()[0]),
            "<div class=\"&gt;\"><b>x</b></div><style>a>b{}</style>"
        );
        assert_eq!(inner_html(&parse("<p>a<b>c</b></p>").select("p").nodes()[0]), "a<b>c</b>");
    }

    #[test]
    fn json_in_a_script_cannot_end_it() {
        let value = serde_json::json!({"a": "</script><!--"});
        assert_eq!(json_in_script(&value), "{\"a\":\"\\u003c/script>\\u003c!--\"}");
    }
}
