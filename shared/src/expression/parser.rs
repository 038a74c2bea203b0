//! From words to a tree. The parser calls itself only in `expression`, which counts how deep it is;
//! everything that is written in a row is read in a loop.

use std::collections::BTreeSet;

use super::{
    Mistake, NESTING_MAX,
    functions::{Function, Style},
    patterns::Pattern,
    token::{Placed, Token, tokens},
    tree::{Each, Literal, Macro, Node, Operator, Step},
};

/// The binary operators by precedence, those that bind least first.
const LEVELS: [&[Operator]; 3] = [
    &[
        Operator::Equal,
        Operator::NotEqual,
        Operator::LessOrEqual,
        Operator::GreaterOrEqual,
        Operator::Less,
        Operator::Greater,
        Operator::In,
    ],
    &[Operator::Add, Operator::Subtract],
    &[Operator::Multiply, Operator::Divide, Operator::Remainder],
];

/// What no variable is called.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// What no field is called after a dot.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

/// Reads a whole text. Also tells which variables it needs.
pub(super) fn parse(text: &str) -> Result<(Node, BTreeSet<String>), Mistake> {
    let tokens = tokens(text)?;
    let mut parser =
        Parser { text, tokens, next: 0, depth: 0, scope: Vec::new(), variables: BTreeSet::new() };
    let node = parser.expression()?;
    if *parser.peek() != Token::End {
        return Err(parser.mistake("the expression was over before this"));
    }
    Ok((node, parser.variables))
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed<'a>>,
    next: usize,
    depth: usize,
    /// The variables of the macros around.
    scope: Vec<&'a str>,
    /// The variables that are not of a macro.
    variables: BTreeSet<String>,
}

impl<'a> Parser<'a> {
    fn expression(&mut self) -> Result<Node, Mistake> {
        if self.depth == NESTING_MAX {
            return Err(self.mistake(format!("nested more than {NESTING_MAX} deep")));
        }
        self.depth += 1;
        let node = self.choice()?;
        self.depth -= 1;
        Ok(node)
    }

    fn choice(&mut self) -> Result<Node, Mistake> {
        let mut cases = Vec::new();
        loop {
            let value = self.any()?;
            if !self.eat("?") {
                return Ok(match cases.is_empty() {
                    true => value,
                    false => Node::Choice(cases, Box::new(value)),
                });
            }
            let then = self.any()?;
            self.expect(":")?;
            cases.push((value, then));
        }
    }

    fn any(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.every()?];
        while self.eat("||") {
            nodes.push(self.every()?);
        }
        Ok(alone(nodes).unwrap_or_else(Node::Any))
    }

    fn every(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.chain(0)?];
        while self.eat("&&") {
            nodes.push(self.chain(0)?);
        }
        Ok(alone(nodes).unwrap_or_else(Node::Every))
    }

    fn chain(&mut self, level: usize) -> Result<Node, Mistake> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let first = self.chain(level + 1)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(operators) {
            rest.push((operator, self.chain(level + 1)?));
        }
        Ok(match rest.is_empty() {
            true => first,
            false => Node::Chain(Box::new(first), rest),
        })
    }

    fn operator(&mut self, operators: &[Operator]) -> Option<Operator> {
        let found = operators.iter().copied().find(|it| match self.peek() {
            Token::Sign(sign) => *sign == it.sign(),
            Token::Name(name) => *it == Operator::In && *name == it.sign(),
            _ => false,
        });
        self.next += usize::from(found.is_some());
        found
    }

    fn unary(&mut self) -> Result<Node, Mistake> {
        let nots = self.run("!");
        let node = self.negation()?;
        Ok(if nots == 0 { node } else { Node::Not(nots, Box::new(node)) })
    }

    fn negation(&mut self) -> Result<Node, Mistake> {
        let minuses = self.run("-");
        if minuses == 0 {
            return self.path();
        }
        // The minus of a literal is part of it: there is no positive twin of the least int.
        if let Some(literal) = self.negative()? {
            let node = self.steps(Node::Literal(literal))?;
            return Ok(match minuses {
                1 => node,
                _ => Node::Negate(minuses - 1, Box::new(node)),
            });
        }
        Ok(Node::Negate(minuses, Box::new(self.path()?)))
    }

    fn run(&mut self, sign: &str) -> usize {
        let mut count = 0;
        while self.eat(sign) {
            count += 1;
        }
        count
    }

    fn negative(&mut self) -> Result<Option<Literal>, Mistake> {
        let literal = match *self.peek() {
            Token::Int(it) => match 0i64.checked_sub_unsigned(it) {
                Some(it) => Literal::Int(it),
                None => return Err(self.mistake("the number is too large for an int")),
            },
            Token::Double(it) => Literal::Double(-it),
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(literal))
    }

    fn path(&mut self) -> Result<Node, Mistake> {
        let node = self.primary()?;
        self.steps(node)
    }

    fn steps(&mut self, start: Node) -> Result<Node, Mistake> {
        let mut steps = Vec::new();
        loop {
            if self.eat(".") {
                steps.push(self.member()?);
            } else if self.eat("[") {
                steps.push(Step::Index(self.expression()?));
                self.expect("]")?;
            } else if steps.is_empty() {
                return Ok(start);
            } else {
                return Ok(Node::Path(Box::new(start), steps));
            }
        }
    }

    fn member(&mut self) -> Result<Step, Mistake> {
        let Token::Name(name) = *self.peek() else {
            return Err(self.mistake("a name follows a dot"));
        };
        if KEYWORDS.contains(&name) {
            return Err(self.mistake(format!("write [\"{name}\"] for the field {name}")));
        }
        let at = self.next;
        self.next += 1;
        if !self.eat("(") {
            return Ok(Step::Field(name.to_owned()));
        }
        if let Some(what) = Macro::named(name) {
            return Ok(Step::Each(Box::new(self.each(what)?)));
        }
        let arguments = self.list(")")?;
        let function = self.function(name, at, Style::Method, &arguments)?;
        Ok(Step::Method(function, arguments))
    }

    fn each(&mut self, what: Macro) -> Result<Each, Mistake> {
        let variable = match *self.peek() {
            Token::Name(it) if !RESERVED.contains(&it) => it,
            _ => return Err(self.mistake("a macro begins with the name of its variable")),
        };
        self.next += 1;
        self.expect(",")?;
        self.scope.push(variable);
        let mut body = self.expression()?;
        let mut condition = None;
        if what == Macro::Map && self.eat(",") {
            condition = Some(std::mem::replace(&mut body, self.expression()?));
        }
        self.scope.pop();
        self.expect(")")?;
        Ok(Each { what, variable: variable.to_owned(), condition, body })
    }

    fn primary(&mut self) -> Result<Node, Mistake> {
        let at = self.next;
        let literal = match self.peek().clone() {
            Token::Int(it) => match i64::try_from(it) {
                Ok(it) => Literal::Int(it),
                Err(_) => return Err(self.mistake("the number is too large for an int")),
            },
            Token::Uint(it) => Literal::Uint(it),
            Token::Double(it) => Literal::Double(it),
            Token::Text(it) => Literal::Text(it),
            Token::Name("true") => Literal::Bool(true),
            Token::Name("false") => Literal::Bool(false),
            Token::Name("null") => Literal::Null,
            Token::Name(name) => return self.named(name, at),
            Token::Sign(sign @ ("(" | "[" | "{")) => {
                self.next += 1;
                return self.enclosed(sign);
            }
            Token::Sign(sign) => {
                return Err(self.mistake(format!("a value is missing before {sign}")));
            }
            Token::End => return Err(self.mistake("the expression stops too early")),
        };
        self.next += 1;
        Ok(Node::Literal(literal))
    }

    fn enclosed(&mut self, sign: &str) -> Result<Node, Mistake> {
        match sign {
            "[" => Ok(Node::List(self.list("]")?)),
            "{" => Ok(Node::Map(self.entries()?)),
            _ => {
                let node = self.expression()?;
                self.expect(")")?;
                Ok(node)
            }
        }
    }

    fn named(&mut self, name: &'a str, at: usize) -> Result<Node, Mistake> {
        if RESERVED.contains(&name) {
            return Err(self.mistake(format!("{name} is a reserved word")));
        }
        self.next += 1;
        if !self.eat("(") {
            if !self.scope.contains(&name) {
                self.variables.insert(name.to_owned());
            }
            return Ok(Node::Name(name.to_owned()));
        }
        let arguments = self.list(")")?;
        if name == "has" {
            return has(arguments).ok_or_else(|| self.mistake_at(at, HAS));
        }
        Ok(Node::Call(self.function(name, at, Style::Global, &arguments)?, arguments))
    }

    fn function(
        &self,
        name: &str,
        at: usize,
        style: Style,
        arguments: &[Node],
    ) -> Result<Function, Mistake> {
        let function = Function::named(name, style, arguments.len())
            .map_err(|reason| self.mistake_at(at, reason))?;
        if let (Function::Matches, Some(Node::Literal(Literal::Text(it)))) =
            (function, arguments.last())
        {
            Pattern::compile(it).map_err(|reason| self.mistake_at(at, reason))?;
        }
        Ok(function)
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, Mistake> {
        let mut nodes = Vec::new();
        while !self.eat(end) {
            nodes.push(self.expression()?);
            if !self.eat(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(nodes)
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, Mistake> {
        let mut entries = Vec::new();
        while !self.eat("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }

    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.next).map_or(&Token::End, |it| &it.token)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(it) if *it == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        match self.eat(sign) {
            true => Ok(()),
            false => Err(self.mistake(format!("{sign} is missing here"))),
        }
    }

    fn mistake(&self, reason: impl Into<String>) -> Mistake {
        self.mistake_at(self.next, reason)
    }

    fn mistake_at(&self, token: usize, reason: impl Into<String>) -> Mistake {
        let at = self.tokens.get(token).map_or(self.text.len(), |it| it.at);
        Mistake::at(self.text, at, reason)
    }
}

const HAS: &str = "has() asks for a field, as in has(event.data)";

fn has(mut arguments: Vec<Node>) -> Option<Node> {
    let (Some(Node::Path(of, mut steps)), true) = (arguments.pop(), arguments.is_empty()) else {
        return None;
    };
    let Some(Step::Field(field)) = steps.pop() else { return None };
    let of = if steps.is_empty() { of } else { Box::new(Node::Path(of, steps)) };
    Some(Node::Has(of, field))
}

/// The only one, or all of them again.
fn alone(mut nodes: Vec<Node>) -> Result<Node, Vec<Node>> {
    match (nodes.len(), nodes.pop()) {
        (1, Some(it)) => Ok(it),
        (_, last) => {
            nodes.extend(last);
            Err(nodes)
        }
    }
}
