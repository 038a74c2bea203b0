//! An expression as a tree. What CEL lets a person write in a row is a `Vec` here, so that a tree is
//! nested no deeper than the brackets of its text, and walking and dropping it need a bounded stack.

use super::functions::Function;

/// A piece of an expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(Literal),
    /// A variable.
    Name(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// `a ? b : c ? d : e`: the cases in order, and what holds otherwise.
    Choice(Vec<(Node, Node)>, Box<Node>),
    /// `a || b || c`
    Any(Vec<Node>),
    /// `a && b && c`
    Every(Vec<Node>),
    /// `a + b - c`: operators of one precedence, from left to right.
    Chain(Box<Node>, Vec<(Operator, Node)>),
    /// This many `!` in a row.
    Not(usize, Box<Node>),
    /// This many `-` in a row.
    Negate(usize, Box<Node>),
    /// `a.b[c].d()`: a value and what is asked of it, step by step.
    Path(Box<Node>, Vec<Step>),
    /// `has(a.b)`
    Has(Box<Node>, String),
    /// `size(a)`
    Call(Function, Vec<Node>),
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
}

/// What is asked of the value before it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Field(String),
    Index(Node),
    Method(Function, Vec<Node>),
    Each(Box<Each>),
}

/// `list.filter(variable, body)` and its like.
#[derive(Clone, Debug)]
pub(super) struct Each {
    pub(super) what: Macro,
    pub(super) variable: String,
    /// The middle of `map(variable, condition, body)`.
    pub(super) condition: Option<Node>,
    pub(super) body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl Macro {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "exists" => Some(Self::Exists),
            "exists_one" | "existsOne" => Some(Self::ExistsOne),
            "filter" => Some(Self::Filter),
            "map" => Some(Self::Map),
            _ => None,
        }
    }
}
