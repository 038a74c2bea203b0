//! The SQL texts in our sources.

use std::{fs, path::Path};

use syn::visit::Visit as _;

/// Whether a text is a statement, and no sentence that begins like one.
fn is_sql(text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    text.starts_with("select ")
        || text.starts_with("insert ")
        || text.starts_with("delete from")
        || text.starts_with("replace into")
        || text.starts_with("update ") && text.contains(" set ")
        || text.starts_with("with ") && text.contains(" as (")
}

/// The SQL texts of a file, tests left out.
#[derive(Default)]
pub struct Literals(pub Vec<String>);

impl Literals {
    fn keep(&mut self, it: &syn::LitStr) {
        let text = it.value().trim().to_owned();
        if is_sql(&text) {
            self.0.push(text);
        }
    }
}

impl<'ast> syn::visit::Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, it: &'ast syn::LitStr) {
        self.keep(it);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        // What is given to a macro is no expression yet, and not visited as one.
        let found = it.parse_body_with(texts).expect("tokens can be read");
        found.iter().for_each(|it| self.keep(it));
    }

    fn visit_item_mod(&mut self, it: &'ast syn::ItemMod) {
        if it.ident != "tests" {
            syn::visit::visit_item_mod(self, it);
        }
    }
}

/// The texts among these tokens, however deep.
fn texts(input: syn::parse::ParseStream) -> syn::Result<Vec<syn::LitStr>> {
    let mut found = Vec::new();
    while !input.is_empty() {
        let inner;
        if input.peek(syn::token::Paren) {
            syn::parenthesized!(inner in input);
            found.extend(texts(&inner)?);
        } else if input.peek(syn::token::Bracket) {
            syn::bracketed!(inner in input);
            found.extend(texts(&inner)?);
        } else if input.peek(syn::token::Brace) {
            syn::braced!(inner in input);
            found.extend(texts(&inner)?);
        } else if input.peek(syn::LitStr) {
            found.push(input.parse()?);
        } else {
            input.step(|it| Ok(((), it.token_tree().map_or(*it, |(_, rest)| rest))))?;
        }
    }
    Ok(found)
}

/// The SQL texts in a file, tests left out.
pub fn statements_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let mut literals = Literals::default();
    literals.visit_file(&syn::parse_file(&text).unwrap());
    literals.0
}
