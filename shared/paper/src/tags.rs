//! What is drawn means something: the structure tree of a tagged PDF (ISO 32000-1, 14.7).

use pdf_writer::{
    Chunk, Finish as _, Name, Rect, Ref, TextStr,
    types::{StructRole, TableHeaderScope},
    writers::StructElement,
};

/// An element of the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tag(usize);

/// The tree. Its root is the document.
pub struct Tags(Vec<Node>);

struct Node {
    role: StructRole,
    parent: Option<Tag>,
    kids: Vec<Kid>,
    scope: Option<TableHeaderScope>,
    /// What a picture says, and where it is on its page.
    figure: Option<(String, Rect)>,
}

enum Kid {
    Tag(Tag),
    /// A piece of a page's content, by its number there.
    Mark {
        page: usize,
        mark: i32,
    },
}

impl Tags {
    /// The root.
    pub const ROOT: Tag = Tag(0);

    /// A document without anything in it.
    pub(crate) fn new() -> Self {
        Self(vec![node(StructRole::Document, None)])
    }

    /// A new element, the last one in `parent`.
    pub fn add(&mut self, parent: Tag, role: StructRole) -> Tag {
        let tag = Tag(self.0.len());
        self.0.push(node(role, Some(parent)));
        if let Some(node) = self.0.get_mut(parent.0) {
            node.kids.push(Kid::Tag(tag));
        }
        tag
    }

    /// A new head of a column or of a row.
    pub fn add_head(&mut self, parent: Tag, scope: TableHeaderScope) -> Tag {
        let tag = self.add(parent, StructRole::TH);
        if let Some(node) = self.0.get_mut(tag.0) {
            node.scope = Some(scope);
        }
        tag
    }

    /// A new picture with what it says.
    pub fn add_figure(&mut self, parent: Tag, text: &str, at: Rect) -> Tag {
        let tag = self.add(parent, StructRole::Figure);
        if let Some(node) = self.0.get_mut(tag.0) {
            node.figure = Some((text.to_owned(), at));
        }
        tag
    }

    /// The name that marks content of this element.
    pub fn name(&self, tag: Tag) -> Name<'static> {
        self.0.get(tag.0).map_or(StructRole::Span, |it| it.role).to_name()
    }

    /// Puts a piece of a page into an element.
    pub fn mark(&mut self, tag: Tag, page: usize, mark: i32) {
        if let Some(node) = self.0.get_mut(tag.0) {
            node.kids.push(Kid::Mark { page, mark });
        }
    }

    /// The object of an element, when the first one has the number `first`.
    pub(crate) fn object(tag: Tag, first: Ref) -> Ref {
        let offset = i32::try_from(tag.0).unwrap_or_default();
        Ref::new(first.get().saturating_add(offset))
    }

    /// How many objects [`Tags::write`] makes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes all elements, the first with the number `first`.
    pub(crate) fn write(&self, chunk: &mut Chunk, root: Ref, first: Ref, pages: &[Ref]) {
        for (index, node) in self.0.iter().enumerate() {
            let mut element = chunk.struct_element(Self::object(Tag(index), first));
            let parent = node.parent.map_or(root, |it| Self::object(it, first));
            element.kind(node.role).parent(parent);
            attributes(&mut element, node);
            let mut kids = element.children();
            for kid in &node.kids {
                match kid {
                    Kid::Tag(tag) => {
                        kids.struct_element(Self::object(*tag, first));
                    }
                    Kid::Mark { page, mark } => {
                        let mut reference = kids.marked_content_ref();
                        if let Some(page) = pages.get(*page) {
                            reference.page(*page);
                        }
                        reference.marked_content_id(*mark);
                    }
                }
            }
            kids.finish();
        }
    }
}

fn node(role: StructRole, parent: Option<Tag>) -> Node {
    Node { role, parent, kids: vec![], scope: None, figure: None }
}

fn attributes(element: &mut StructElement<'_>, node: &Node) {
    if let Some(scope) = node.scope {
        element.attributes().push().table().scope(scope);
    }
    if let Some((text, at)) = &node.figure {
        element.alt(TextStr(text));
        element.attributes().push().layout().bbox(*at);
    }
}
