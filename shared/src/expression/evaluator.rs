//! Walks a tree. Each step is paid for, and the walk is as deep as the tree, which is bounded.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value as Json;

use super::{
    Trouble, failed,
    fuel::Fuel,
    operators,
    patterns::Patterns,
    tree::{Each, Literal, Macro, Node, Operator, Step},
    value::{Key, List, Map, Text, Value},
};

/// What an entry of a new map costs beside its key and value, as it takes room in a tree.
const ENTRY: usize = 4;
/// How much of a name from the data is repeated in a sentence.
const NAME_CHARS_MAX: usize = 64;

/// One evaluation.
pub(super) struct Evaluator<'a> {
    bindings: &'a [(&'a str, &'a Json)],
    /// The variables of the macros around, the innermost last.
    scope: Vec<(&'a str, Value<'a>)>,
    patterns: Patterns,
    fuel: Fuel,
}

type Answer<'a> = Result<Value<'a>, Trouble>;

impl<'a> Evaluator<'a> {
    pub(super) fn new(bindings: &'a [(&'a str, &'a Json)]) -> Self {
        Self { bindings, scope: Vec::new(), patterns: Patterns::default(), fuel: Fuel::full() }
    }

    /// The answer in JSON.
    pub(super) fn answer(&mut self, node: &'a Node) -> Result<Json, Trouble> {
        self.value(node)?.to_json(&mut self.fuel)
    }

    /// Whether it holds.
    pub(super) fn holds(&mut self, node: &'a Node) -> Result<bool, Trouble> {
        match self.value(node)? {
            Value::Bool(it) => Ok(it),
            other => Err(Trouble::NotBool(other.kind())),
        }
    }

    fn value(&mut self, node: &'a Node) -> Answer<'a> {
        self.fuel.step()?;
        match node {
            Node::Literal(it) => Ok(literal(it)),
            Node::Name(it) => self.variable(it),
            Node::List(it) => self.list(it),
            Node::Map(it) => self.map(it),
            Node::Choice(cases, otherwise) => self.choice(cases, otherwise),
            Node::Any(it) => self.until(it.iter(), true, "||"),
            Node::Every(it) => self.until(it.iter(), false, "&&"),
            Node::Chain(first, rest) => self.chain(first, rest),
            Node::Not(count, it) => self.not(*count, it),
            Node::Negate(count, it) => self.negate(*count, it),
            Node::Path(start, steps) => self.path(start, steps),
            Node::Has(of, field) => self.has(of, field),
            Node::Call(function, arguments) => {
                let arguments = self.values(None, arguments)?;
                function.call(&arguments, &mut self.patterns, &mut self.fuel)
            }
        }
    }

    fn variable(&mut self, name: &str) -> Answer<'a> {
        self.fuel.bytes(name.len())?;
        if let Some((_, it)) = self.scope.iter().rev().find(|it| it.0 == name) {
            return Ok(it.clone());
        }
        match self.bindings.iter().find(|it| it.0 == name) {
            Some((_, it)) => Ok(Value::from(*it)),
            None => Err(failed(format!("there is no variable {}", short(name)))),
        }
    }

    fn values(
        &mut self,
        first: Option<Value<'a>>,
        nodes: &'a [Node],
    ) -> Result<Vec<Value<'a>>, Trouble> {
        let mut values: Vec<_> = first.into_iter().collect();
        for node in nodes {
            values.push(self.value(node)?);
        }
        Ok(values)
    }

    fn list(&mut self, nodes: &'a [Node]) -> Answer<'a> {
        Ok(Value::List(List::Made(self.values(None, nodes)?.into())))
    }

    fn map(&mut self, entries: &'a [(Node, Node)]) -> Answer<'a> {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let key = self.value(key)?;
            let key = match (&key, key.as_key()) {
                (Value::Double(_), _) | (_, None) => {
                    return Err(failed(format!("{} is no key of a map", key.kind())));
                }
                (_, Some(key)) => key,
            };
            self.fuel.bytes(key.len())?;
            self.fuel.units(ENTRY)?;
            let value = self.value(value)?;
            if map.contains_key(&key) {
                return Err(failed(format!("the key {} is there twice", shown(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Map(Map::Made(Rc::new(map))))
    }

    fn choice(&mut self, cases: &'a [(Node, Node)], otherwise: &'a Node) -> Answer<'a> {
        for (condition, then) in cases {
            if self.bool(condition, "?")? {
                return self.value(then);
            }
        }
        self.value(otherwise)
    }

    fn bool(&mut self, node: &'a Node, sign: &str) -> Result<bool, Trouble> {
        match self.value(node)? {
            Value::Bool(it) => Ok(it),
            other => {
                Err(failed(format!("{sign} needs true or false, and here is {}", other.kind())))
            }
        }
    }

    /// `||` and `&&`: one that is `decisive` decides, even beside one that failed.
    fn until(
        &mut self,
        nodes: impl Iterator<Item = &'a Node>,
        decisive: bool,
        sign: &str,
    ) -> Answer<'a> {
        let mut trouble = None;
        for node in nodes {
            match self.bool(node, sign) {
                Ok(it) if it == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Trouble::OutOfFuel) => return Err(Trouble::OutOfFuel),
                Err(it) => trouble = trouble.or(Some(it)),
            }
        }
        trouble.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn chain(&mut self, first: &'a Node, rest: &'a [(Operator, Node)]) -> Answer<'a> {
        let mut value = self.value(first)?;
        for (operator, node) in rest {
            self.fuel.step()?;
            let next = self.value(node)?;
            value = operators::apply(*operator, &value, &next, &mut self.fuel)?;
        }
        Ok(value)
    }

    fn not(&mut self, count: usize, node: &'a Node) -> Answer<'a> {
        self.bool(node, "!").map(|it| Value::Bool(it != (count % 2 == 1)))
    }

    fn negate(&mut self, count: usize, node: &'a Node) -> Answer<'a> {
        let value = operators::negate(&self.value(node)?)?;
        if count % 2 == 1 { Ok(value) } else { operators::negate(&value) }
    }

    fn path(&mut self, start: &'a Node, steps: &'a [Step]) -> Answer<'a> {
        let mut value = self.value(start)?;
        for step in steps {
            self.fuel.step()?;
            value = match step {
                Step::Field(name) => field(&value, name, &mut self.fuel)?,
                Step::Index(node) => {
                    let index = self.value(node)?;
                    element(&value, &index, &mut self.fuel)?
                }
                Step::Method(function, arguments) => {
                    let arguments = self.values(Some(value), arguments)?;
                    function.call(&arguments, &mut self.patterns, &mut self.fuel)?
                }
                Step::Each(each) => self.each(&value, each)?,
            };
        }
        Ok(value)
    }

    fn has(&mut self, of: &'a Node, name: &'a str) -> Answer<'a> {
        self.fuel.bytes(name.len())?;
        match self.value(of)? {
            Value::Map(it) => Ok(Value::Bool(it.get(&Key::Text(Text::Lent(name))).is_some())),
            other => Err(failed(format!("{} has no fields", other.kind()))),
        }
    }

    fn each(&mut self, over: &Value<'a>, each: &'a Each) -> Answer<'a> {
        let items: Box<dyn Iterator<Item = Value<'a>>> = match over {
            Value::List(it) => Box::new(it.iter()),
            Value::Map(it) => Box::new(it.iter().map(|it| it.0.into())),
            _ => return Err(failed(format!("a macro goes over a list, not {}", over.kind()))),
        };
        // The slot is there before and gone after, whatever happens between.
        self.scope.push((&each.variable, Value::Null));
        let answer = match each.what {
            Macro::All => self.decide(items, each, false),
            Macro::Exists => self.decide(items, each, true),
            Macro::ExistsOne => self.exists_one(items, each),
            Macro::Filter => self.filter(items, each),
            Macro::Map => self.transform(items, each),
        };
        self.scope.pop();
        answer
    }

    fn bind(&mut self, item: Value<'a>) -> Result<(), Trouble> {
        self.fuel.step()?;
        if let Some(slot) = self.scope.last_mut() {
            slot.1 = item;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        items: impl Iterator<Item = Value<'a>>,
        each: &'a Each,
        decisive: bool,
    ) -> Answer<'a> {
        let mut trouble = None;
        for item in items {
            self.bind(item)?;
            match self.bool(&each.body, "a macro") {
                Ok(it) if it == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Trouble::OutOfFuel) => return Err(Trouble::OutOfFuel),
                Err(it) => trouble = trouble.or(Some(it)),
            }
        }
        trouble.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn exists_one(&mut self, items: impl Iterator<Item = Value<'a>>, each: &'a Each) -> Answer<'a> {
        let mut found = 0;
        for item in items {
            self.bind(item)?;
            found += usize::from(self.bool(&each.body, "a macro")?);
        }
        Ok(Value::Bool(found == 1))
    }

    fn filter(&mut self, items: impl Iterator<Item = Value<'a>>, each: &'a Each) -> Answer<'a> {
        let mut kept = Vec::new();
        for item in items {
            self.bind(item.clone())?;
            if self.bool(&each.body, "a macro")? {
                kept.push(item);
            }
        }
        Ok(Value::List(List::Made(kept.into())))
    }

    fn transform(&mut self, items: impl Iterator<Item = Value<'a>>, each: &'a Each) -> Answer<'a> {
        let mut made = Vec::new();
        for item in items {
            self.bind(item)?;
            let is_wanted = match &each.condition {
                Some(it) => self.bool(it, "a macro")?,
                None => true,
            };
            if is_wanted {
                made.push(self.value(&each.body)?);
            }
        }
        Ok(Value::List(List::Made(made.into())))
    }
}

fn literal(of: &Literal) -> Value<'_> {
    match of {
        Literal::Null => Value::Null,
        Literal::Bool(it) => Value::Bool(*it),
        Literal::Int(it) => Value::Int(*it),
        Literal::Uint(it) => Value::Uint(*it),
        Literal::Double(it) => Value::Double(*it),
        Literal::Text(it) => Value::Text(Text::Lent(it)),
    }
}

fn field<'a>(of: &Value<'a>, name: &'a str, fuel: &mut Fuel) -> Answer<'a> {
    fuel.bytes(name.len())?;
    match of {
        Value::Map(it) => it.get(&Key::Text(Text::Lent(name))).ok_or_else(|| no_key(name)),
        _ => Err(failed(format!("{} has no field {}", of.kind(), short(name)))),
    }
}

fn element<'a>(of: &Value<'a>, index: &Value<'a>, fuel: &mut Fuel) -> Answer<'a> {
    match of {
        Value::Map(it) => {
            let key = index.as_key().ok_or_else(|| unfit(of, index))?;
            fuel.bytes(key.len())?;
            it.get(&key).ok_or_else(|| no_key(&key.to_string()))
        }
        Value::List(it) => {
            let whole = index.as_whole().ok_or_else(|| unfit(of, index))?;
            let found = usize::try_from(whole).ok().and_then(|at| it.get(at));
            found.ok_or_else(|| {
                failed(format!("there is no element {whole} in a list of {}", it.len()))
            })
        }
        _ => Err(unfit(of, index)),
    }
}

fn unfit(of: &Value, index: &Value) -> Trouble {
    failed(format!("{} is not looked up by {}", of.kind(), index.kind()))
}

fn no_key(name: &str) -> Trouble {
    failed(format!("no such key: {}", short(name)))
}

fn shown(key: &Key) -> String {
    short(&key.to_string())
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}
