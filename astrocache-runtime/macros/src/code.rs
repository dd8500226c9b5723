//! Tokens in the making. `quote!` would read better, but it runs unoptimised in the user's build, and goes to the compiler and
//! back for each piece that it puts in: it takes several times as long. Here each group is one trip.

use quote::ToTokens;

use crate::pm::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A list of tokens that grows at its end. What is added gets the present span, except for what has one already.
pub struct Code {
    /// What stands before `trees`, and is not looked into.
    streams: Vec<TokenStream>,
    trees: Vec<TokenTree>,
    span: Span,
}

impl Code {
    pub fn at(span: Span) -> Code {
        Code {
            streams: Vec::new(),
            trees: Vec::with_capacity(16),
            span,
        }
    }

    /// What is added inside gets another span.
    pub fn with_span(&mut self, span: Span, add: impl FnOnce(&mut Code)) -> &mut Code {
        let outside = std::mem::replace(&mut self.span, span);
        add(self);
        self.span = outside;
        self
    }

    /// An identifier or keyword.
    pub fn word(&mut self, text: &str) -> &mut Code {
        self.tree(Ident::new(text, self.span))
    }

    /// Punctuation, one or more characters that belong together.
    pub fn sign(&mut self, text: &str) -> &mut Code {
        let last = text.len() - 1;
        for (at, c) in text.char_indices() {
            let spacing = if at == last { Spacing::Alone } else { Spacing::Joint };
            let mut punct = Punct::new(c, spacing);
            punct.set_span(self.span);
            self.trees.push(TokenTree::Punct(punct));
        }
        self
    }

    /// A string literal.
    pub fn text(&mut self, text: &str) -> &mut Code {
        let mut literal = Literal::string(text);
        literal.set_span(self.span);
        self.tree(literal)
    }

    /// `::a::b`
    pub fn path(&mut self, names: &[&str]) -> &mut Code {
        for name in names {
            self.sign("::").word(name);
        }
        self
    }

    pub fn group(&mut self, delimiter: Delimiter, add: impl FnOnce(&mut Code)) -> &mut Code {
        self.group_at(self.span, delimiter, add)
    }

    /// A group whose delimiters have a span of their own.
    pub fn group_at(&mut self, span: Span, delimiter: Delimiter, add: impl FnOnce(&mut Code)) -> &mut Code {
        let mut inside = Code::at(self.span);
        add(&mut inside);
        let mut group = Group::new(delimiter, inside.into_stream());
        group.set_span(span);
        self.tree(group)
    }

    pub fn tree(&mut self, tree: impl Into<TokenTree>) -> &mut Code {
        self.trees.push(tree.into());
        self
    }

    /// Tokens that keep their spans.
    pub fn splice(&mut self, trees: impl IntoIterator<Item = TokenTree>) -> &mut Code {
        self.trees.extend(trees);
        self
    }

    pub fn tokens(&mut self, tokens: &impl ToTokens) -> &mut Code {
        self.stream(tokens.to_token_stream().into())
    }

    /// Tokens that keep their spans and are not looked into.
    pub fn stream(&mut self, tokens: TokenStream) -> &mut Code {
        self.flush();
        self.streams.push(tokens);
        self
    }

    /// Source text, with the span of the call whatever the present one is. The compiler's lexer is quicker than we are with
    /// single tokens.
    pub fn parsed(&mut self, text: &str) -> &mut Code {
        let tokens: TokenStream = text.parse().expect("text from a template of ours is made of tokens");
        self.stream(tokens)
    }

    fn flush(&mut self) {
        if !self.trees.is_empty() {
            self.streams.push(self.trees.drain(..).collect());
        }
    }

    pub fn into_stream(mut self) -> TokenStream {
        if self.streams.is_empty() {
            return self.trees.into_iter().collect();
        }
        self.flush();
        self.streams.into_iter().collect()
    }
}
